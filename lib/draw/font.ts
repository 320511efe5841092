import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';

/** Aileron (CC0) as a strip of glyphs, so that labels do not depend on the fonts of the machine. */
const FOLDER = join(__dirname, '..', '..', 'lib', 'draw');

interface Metrics {
  height: number;
  first: number;
  starts: number[];
  widths: number[];
}

/** Coverage 0 … 255 of printable ASCII at one height. */
export class Font {
  private constructor(
    readonly height: number,
    private readonly strip: Uint8Array,
    private readonly width: number,
    private readonly metrics: Metrics,
  ) {}

  static async load(height: number): Promise<Font> {
    const metrics = JSON.parse(readFileSync(join(FOLDER, 'font.json'), 'utf8')) as Metrics;
    const scale = height / metrics.height;
    const image = sharp(join(FOLDER, 'font.png'));
    const { width } = await image.metadata();
    const scaled = Math.round(width * scale);
    const strip = await image.resize(scaled, height, { fit: 'fill' }).toColourspace('b-w').raw().toBuffer();
    const at = (x: number) => Math.round((x * scaled) / width);
    const ends = metrics.starts.map((x, i) => at(x + metrics.widths[i]!));
    const starts = metrics.starts.map(at);
    return new Font(height, strip, scaled, {
      ...metrics,
      starts,
      widths: ends.map((end, i) => end - starts[i]!),
    });
  }

  measure(text: string): number {
    return Array.from(text).reduce((sum, char) => sum + this.metrics.widths[this.#glyph(char)]!, 0);
  }

  /** Calls `paint` for each pixel that a glyph covers. */
  draw(text: string, x: number, y: number, paint: (x: number, y: number, coverage: number) => void): void {
    let left = x;
    for (const char of text) {
      const glyph = this.#glyph(char);
      const start = this.metrics.starts[glyph]!;
      const width = this.metrics.widths[glyph]!;
      for (let dy = 0; dy < this.height; dy++) {
        for (let dx = 0; dx < width; dx++) {
          const coverage = this.strip[dy * this.width + start + dx]!;
          if (coverage) paint(left + dx, y + dy, coverage / 255);
        }
      }
      left += width;
    }
  }

  #glyph(char: string): number {
    const index = char.charCodeAt(0) - this.metrics.first;
    return index >= 0 && index < this.metrics.starts.length ? index : '?'.charCodeAt(0) - this.metrics.first;
  }
}
