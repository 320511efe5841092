import type { ModelConfig } from '../models/model-config.js';
import { BODIES } from '../models/resnet.js';

/** Bins along a side of what each head pools. */
const SIDES = { box: 7, mask: 14 } as const;

/** Names and shapes of the state dict that a config asks for, as torchvision names them; the block's as its own. */
export function expectedShapes(config: ModelConfig): Map<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>();
  const layer = (name: string, ...weight: number[]) => {
    shapes.set(`${name}.weight`, weight);
    shapes.set(`${name}.bias`, [name.endsWith('conv5_mask') ? weight[1]! : weight[0]!]);
  };
  const widths = addBody(shapes, config.backbone);
  const channels = config.fpn_channels;
  for (const [level, width] of widths.entries()) {
    layer(`backbone.fpn.inner_blocks.${level}.0`, channels, width, 1, 1);
    layer(`backbone.fpn.layer_blocks.${level}.0`, channels, channels, 3, 3);
  }
  const anchors = config.anchor_aspect_ratios.length * config.anchor_sizes[0]!.length;
  layer('rpn.head.conv.0.0', channels, channels, 3, 3);
  layer('rpn.head.cls_logits', anchors, channels, 1, 1);
  layer('rpn.head.bbox_pred', 4 * anchors, channels, 1, 1);

  const hidden = config.box_head_fc;
  layer('roi_heads.box_head.fc6', hidden, addBlock(layer, shapes, 'box', config) * SIDES.box ** 2);
  layer('roi_heads.box_head.fc7', hidden, hidden);
  layer('roi_heads.box_predictor.cls_score', config.num_classes, hidden);
  layer('roi_heads.box_predictor.bbox_pred', 4 * config.num_classes, hidden);
  if (config.architecture === 'fasterrcnn') return shapes;

  let inputs = addBlock(layer, shapes, 'mask', config);
  const outputs = config.mask_head_channels;
  for (let k = 0; k < config.mask_head_convs; k++) {
    layer(`roi_heads.mask_head.${k}.0`, outputs, inputs, 3, 3);
    inputs = outputs;
  }
  layer('roi_heads.mask_predictor.conv5_mask', inputs, outputs, 2, 2);
  layer('roi_heads.mask_predictor.mask_fcn_logits', config.num_classes, outputs, 1, 1);
  return shapes;
}

/** Adds `backbone.body.*` and gives the channels of c2 … c5. */
function addBody(shapes: Map<string, readonly number[]>, backbone: string): number[] {
  const { depths, bottleneck } = BODIES[backbone]!;
  const conv = (prefix: string, part: string, norm: string, ...weight: number[]) => {
    shapes.set(`${prefix}.${part}.weight`, weight);
    for (const name of ['weight', 'bias', 'running_mean', 'running_var']) {
      shapes.set(`${prefix}.${norm}.${name}`, [weight[0]!]);
    }
  };
  conv('backbone.body', 'conv1', 'bn1', 64, 3, 7, 7);
  let inputs = 64;
  return depths.map((depth, stage) => {
    const width = 64 * 2 ** stage;
    const outputs = bottleneck ? 4 * width : width;
    for (let index = 0; index < depth; index++) {
      const prefix = `backbone.body.layer${stage + 1}.${index}`;
      if (bottleneck) {
        conv(prefix, 'conv1', 'bn1', width, inputs, 1, 1);
        conv(prefix, 'conv2', 'bn2', width, width, 3, 3);
        conv(prefix, 'conv3', 'bn3', outputs, width, 1, 1);
      } else {
        conv(prefix, 'conv1', 'bn1', width, inputs, 3, 3);
        conv(prefix, 'conv2', 'bn2', width, width, 3, 3);
      }
      if (index === 0 && (stage > 0 || inputs !== outputs)) {
        conv(prefix, 'downsample.0', 'downsample.1', outputs, inputs, 1, 1);
      }
      inputs = outputs;
    }
    return outputs;
  });
}

/** Adds the block of a head, where it has one, and gives the channels that the head's first layer reads. */
function addBlock(
  layer: (name: string, ...weight: number[]) => void,
  shapes: Map<string, readonly number[]>,
  head: 'box' | 'mask',
  { fpn_channels: channels, non_local_roi: block }: ModelConfig,
): number {
  if (!block?.heads.includes(head)) return channels;
  const name = `roi_heads.${head}_nl`;
  const { embed_channels: embed, value_channels: values } = block;
  if (block.pairwise !== 'gaussian') {
    layer(`${name}.phi`, embed, channels, 1, 1);
    layer(`${name}.psi`, embed, channels, 1, 1);
  }
  if (block.pairwise === 'concatenation') shapes.set(`${name}.w_f.weight`, [1, 2 * embed * SIDES[head] ** 2]);
  layer(`${name}.g_1x1`, values, channels, 1, 1);
  layer(`${name}.g_3x3`, values, values, 3, 3);
  if (block.fusion === 'concat') return channels + values;
  layer(`${name}.w_z`, channels, values, 1, 1);
  return channels;
}
