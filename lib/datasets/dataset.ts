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
  /** COCO's iscrowd: a region of many, neither object nor background. */
  crowd: boolean;
  /** In pixels, as annotated (COCO's `area` may differ from the mask's). */
  area: number;
}

/** A picture and what is known of it. */
export interface Sample {
  /** As the annotations name it (COCO's image id), unique in its data set. */
  id: number | string;
  /** File name, for messages. */
  name: string;
  image: ImageInput;
  width: number;
  height: number;
  instances: Instance[];
}

/** Annotated pictures: what training and evaluation read. Implement it for a format of your own. */
export interface Dataset {
  /** `classNames[0]` is the background. */
  readonly classNames: readonly string[];
  readonly length: number;
  /** Sample `index`; rejects with an error that names the file where it cannot be read. */
  sample(index: number): Promise<Sample>;
}
