import type { ImageInput } from '../images/decode.js';
import type { Rle } from '../masks/rle.js';

/** One annotated object of a picture. */
export interface Instance {
  /** Index of its class in `classNames`, from 1 (0 is the background). */
  label: number;
  /** x1, y1, x2, y2 in pixels, the right and lower edges outside. */
  box: [number, number, number, number];
  /** Of the whole picture. */
  mask: Rle;
  /** Only the box is annotated and `mask` is its rectangle: fit for Faster R-CNN, not for learning or scoring masks. */
  boxOnly?: boolean | undefined;
  /** COCO's iscrowd: a region of many, neither object nor background. */
  crowd: boolean;
  /** In pixels, as annotated (COCO's `area` may differ from the mask's). */
  area: number;
}

/**
 * Which pixels the annotations of an image with an EXIF orientation count in: `apply`, the upright image's; `ignore`, those
 * stored in the file, as Pillow, torchvision and pycocotools have them.
 */
export type ExifSetting = 'apply' | 'ignore';

/** A picture and what is known of it. */
export interface Sample {
  /** As the annotations name it (COCO's image id), unique in its data set. */
  id: number | string;
  /** File name, for messages. */
  name: string;
  /** Of `width` × `height` pixels when upright (as stored where `exif` is `ignore`). */
  image: ImageInput;
  width: number;
  height: number;
  instances: Instance[];
  /** Pixels that an evaluation does not judge, such as Cityscapes' void. */
  ignored?: Rle | undefined;
  /** Default: apply, with a warning where an orientation does not show in the image's size. */
  exif?: ExifSetting | undefined;
}

/** What is known of all samples before they are read. */
export interface DatasetContents {
  /** Usable instances that are no crowds. */
  objects: number;
  crowds: number;
  /** How many of both have no mask. */
  boxOnly: number;
  /** Annotations that make their samples reject. */
  broken: number;
  /** Why the first of these does. */
  firstBroken?: string | undefined;
}

/**
 * Annotated pictures: what training and evaluation read. `openDataset` reads common formats; implement this for a format of
 * your own. Samples must not change: one index always gives the same picture and annotations.
 */
export interface Dataset {
  /** `classNames[0]` is the background. */
  readonly classNames: readonly string[];
  /** The annotations' own id of each label (COCO's category_id); absent: the label. */
  readonly categoryIds?: readonly number[];
  readonly length: number;
  /** Absent: not known without reading the samples. */
  readonly contents?: DatasetContents | undefined;
  /** Sample `index`; rejects with an error that names the file where it cannot be read. */
  sample(index: number): Promise<Sample>;
  /** Lets worker threads read samples; absent: `sample` runs on the main thread, decoding and augmentation in the workers. */
  readonly reader?: SampleReader;
}

/** `sample(index)` in two steps: a small plain value on the main thread, the work that follows on any thread. */
export interface SampleReader {
  /** Absolute path of a module that exports `readSample(record): Promise<Sample>`. */
  readonly module: string;
  /** What `readSample` needs to know of sample `index`; must survive structured cloning. */
  record(index: number): unknown;
}
