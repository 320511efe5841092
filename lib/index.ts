export type { DType, HostTensor, TypedArray } from './binding.js';
export type { Augmentation, AugmentOptions, TrainingSample } from './datasets/augment.js';
export type {
  Dataset,
  DatasetContents,
  ExifSetting,
  Instance,
  Sample,
  SampleReader,
} from './datasets/dataset.js';
export { type Batch, DataLoader, type DataLoaderOptions, type DataPosition } from './datasets/loader.js';
export { type DatasetFormat, type OpenDatasetOptions, openDataset } from './datasets/open.js';
export type { Device, DeviceOption, Precision } from './device.js';
export { type AttentionOverlayOptions, drawAttention } from './draw/attention.js';
export { drawOverlay, type OverlayOptions } from './draw/overlay.js';
export { type ErrorCode, isNlrcnnError, NlrcnnError } from './errors.js';
export {
  type CityscapesEvaluation,
  type CityscapesFound,
  type CityscapesPicture,
  type CityscapesTruth,
  evaluateCityscapes,
} from './evaluate/cityscapes.js';
export {
  COCO_STATS,
  type CocoEvaluation,
  type CocoFound,
  type CocoPicture,
  type CocoTruth,
  evaluateCoco,
} from './evaluate/coco.js';
export { type CocoFilesEvaluation, evaluateCocoFiles } from './evaluate/coco-files.js';
export { evaluateStardist, type StardistPicture } from './evaluate/stardist.js';
export {
  type DecodeOptions,
  decodeImage,
  type ImageInput,
  type Pixels,
  type RawImage,
} from './images/decode.js';
export {
  type CocoDataset,
  type CocoDetection,
  type CocoResult,
  type NamedSegmentation,
  toCocoDataset,
  toCocoResults,
} from './masks/coco-results.js';
export { labelMapPng, toLabelMap } from './masks/label-map.js';
export { type Polygon, toPolygons } from './masks/polygons.js';
export {
  decodeRle,
  encodeRle,
  mergeRles,
  type Ring,
  type Rle,
  rleArea,
  rleFromBbox,
  rleFromPolygons,
  rleIou,
  rleToBbox,
} from './masks/rle.js';
export {
  type Attention,
  type AttentionOptions,
  type Detection,
  type LoadModelOptions,
  loadModel,
  Model,
  type Segmentation,
  type SegmentOptions,
} from './model.js';
export type { Cap } from './models/caps.js';
export type { ModelConfig, NonLocalRoiConfig } from './models/model-config.js';
export { ops } from './ops/index.js';
export { parseTrainingConfig, type TrainingConfig } from './runs/config.js';
export type { RunResult } from './runs/run.js';
export type { EvaluationRecord } from './runs/run-folder.js';
export { type TrainOptions, train } from './runs/train.js';
export { type SystemInfo, systemInfo } from './system-info.js';
export { Tensor } from './tensor.js';
export type { StepRecord } from './train/trainer.js';
export { version } from './version.js';
export { bundledModels, DEFAULT_MODEL } from './weights/load.js';
