/** The targets by name, loaded where they run. Each gives `run(bytes)` and what inputs are made from. */
export const TARGETS = {
  rle: () => import('./targets/rle.mjs'),
  polygons: () => import('./targets/polygons.mjs'),
  results: () => import('./targets/results.mjs'),
  config: () => import('./targets/config.mjs'),
  safetensors: () => import('./targets/safetensors.mjs'),
  pytorch: () => import('./targets/pytorch.mjs'),
  coco: () => import('./targets/coco.mjs'),
  labelmaps: () => import('./targets/labelmaps.mjs'),
  cityscapes: () =>
    import('./targets/street-scenes.mjs').then(({ streetScenes }) => streetScenes('cityscapes')),
  kitti: () => import('./targets/street-scenes.mjs').then(({ streetScenes }) => streetScenes('kitti')),
  image: () => import('./targets/image.mjs'),
  ops: () => import('./targets/ops.mjs'),
  api: () => import('./targets/api.mjs'),
};

/** For the fuzzer's own test, and only where it is asked for. */
export const HIDDEN = { self: () => import('./targets/self.mjs') };

/** Targets of native.mjs, for libFuzzer, by their names here. */
export const NATIVE = ['rle', 'polygon', 'paste', 'preprocess', 'ops'].map((name) => `native-${name}`);
