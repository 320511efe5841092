// The config of a training whose network is as small as it may be, on fixtures of the tests.

import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseTrainingConfig } from '../dist/index.mjs';

const DATA = join(dirname(fileURLToPath(import.meta.url)), '..', 'test', 'fixtures', 'datasets', 'labelmaps');

export const smallTraining = (steps) =>
  parseTrainingConfig({
    model: {
      backbone: 'resnet18',
      fpn_channels: 16,
      num_classes: 2,
      norm: 'batch',
      min_size: 64,
      max_size: 96,
      anchor_sizes: [[8], [16], [32], [64], [128]],
      rpn_pre_nms_top_n: 50,
      rpn_post_nms_top_n: 20,
      box_head_fc: 16,
      mask_head_convs: 1,
      mask_head_channels: 16,
      non_local_roi: { heads: ['box', 'mask'], scale: 'rsqrt' },
    },
    data: { format: 'labelmaps', dir: DATA, train_split: 'train', class_name: 'disc', workers: 1 },
    sampling: { rpn_post_nms_top_n_train: 50, box_batch_size_per_image: 8 },
    batch_size: 1,
    crop: [64, 64],
    steps,
    checkpoint_every: 3,
  });
