import { cpSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';

const LABEL_MAPS = join(__dirname, '..', '..', 'test', 'fixtures', 'datasets', 'labelmaps');

/** Real nuclei with label maps made from the bundled model's masks would depend on it: discs on noise do not. */
export async function discs(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'nlrcnn-'));
  cpSync(LABEL_MAPS, folder, { recursive: true });
  const rows = ['id,split'];
  for (let n = 0; n < 6; n++) {
    const [width, height] = [72, 64];
    const pixels = Uint8Array.from({ length: width * height }, (_, i) => (i * 7919 + n * 104729) % 40);
    const labels = new Uint16Array(width * height);
    for (let k = 1; k <= 4; k++) {
      const [x, y, r] = [(17 * k + 23 * n) % width, (29 * k + 11 * n) % height, 6 + ((k + n) % 5)];
      for (let i = 0; i < labels.length; i++) {
        if (Math.hypot((i % width) - x, Math.floor(i / width) - y) > r) continue;
        labels[i] = k;
        pixels[i] = 150 + ((i * 31) % 80);
      }
    }
    const raw = { width, height, channels: 1 } as const;
    await sharp(pixels, { raw })
      .toColourspace('b-w')
      .png()
      .toFile(join(folder, 'images', `disc${n}.png`));
    await sharp(labels, { raw })
      .toColourspace('grey16')
      .png()
      .toFile(join(folder, 'labels', `disc${n}.png`));
    rows.push(`disc${n},${n < 5 ? 'train' : 'val'}`);
  }
  writeFileSync(join(folder, 'index.csv'), `${rows.join('\n')}\n`);
  return folder;
}

/** A network that steps in a fraction of a second. */
export async function smallConfig(own: Record<string, unknown> = {}): Promise<string> {
  const data = await discs();
  const config = {
    model: {
      backbone: 'resnet18',
      fpn_channels: 16,
      num_classes: 2,
      norm: 'batch',
      min_size: 64,
      max_size: 96,
      anchor_sizes: [[8], [16], [32], [64], [128]],
      box_head_fc: 32,
      mask_head_convs: 1,
      mask_head_channels: 16,
      non_local_roi: { heads: ['box', 'mask'], scale: 'rsqrt' },
    },
    data: { format: 'labelmaps', dir: data, train_split: 'train', class_name: 'disc', workers: 1 },
    optimizer: { type: 'adamw', lr: 0.001, ema: 0.9, clip_norm: 5 },
    sampling: { rpn_post_nms_top_n_train: 100, box_batch_size_per_image: 16 },
    batch_size: 2,
    crop: [64, 64],
    steps: 8,
    checkpoint_every: 3,
    ...own,
  };
  const path = join(data, 'config.json');
  writeFileSync(path, JSON.stringify(config));
  return path;
}
