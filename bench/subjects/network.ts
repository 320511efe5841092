import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { Model } from '../../dist/model.js';
import { NETWORK, photoPath, seededModel } from './cases.js';
import { serve } from './serve.js';

// The whole way of a user: file → decoded → detections with masks as RLE.
const { config, parameters } = seededModel(NETWORK, 'cpu');
const model = new Model(NETWORK.name, config, 'cpu', 'fp32', parameters);
const delay = monitorEventLoopDelay({ resolution: 1 });

serve(async () => {
  delay.reset();
  delay.enable();
  const start = performance.now();
  const { detections } = await model.segment(photoPath(NETWORK.photo));
  const milliseconds = performance.now() - start;
  delay.disable();
  return { milliseconds, eventLoopGap: delay.max / 1e6, detections: detections.length };
});
