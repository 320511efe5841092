import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { loadModel } from '../dist/index.js';

const SAMPLES = join(__dirname, '..', 'models', 'samples');

/** 300 sample pictures in a row: memory after the last against that after the 30th. */
export async function soak() {
  using model = await loadModel();
  const samples = readdirSync(SAMPLES).filter((name) => name.endsWith('.png'));
  const rss: number[] = [];
  for (let i = 0; i < 300; i++) {
    await model.segment(join(SAMPLES, samples[i % samples.length]!));
    rss.push(process.memoryUsage().rss);
  }
  return { rssAfter30: rss[29]!, rssAfter300: rss[299]!, growth: rss[299]! / rss[29]! - 1 };
}
