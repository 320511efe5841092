import { checkObject, checkText } from '../arguments.js';
import { invalidArgument } from '../errors.js';
import { openCoco } from './coco.js';
import type { Dataset, ExifSetting } from './dataset.js';
import { openLabelMaps } from './label-maps.js';
import { openCityscapes, openKitti } from './street-scenes.js';

const FORMATS = { coco: openCoco, labelmaps: openLabelMaps, cityscapes: openCityscapes, kitti: openKitti };

/** Settings that are texts where they are given. */
const TEXTS = ['split', 'annotations', 'images', 'labels', 'className'] as const;

const CHOICES = { masks: ['required', 'optional'], exif: ['apply', 'ignore'] } as const;

export type DatasetFormat = keyof typeof FORMATS;

/** What `openDataset` needs to know; all paths but `data` may be relative to it. */
export interface OpenDatasetOptions {
  format: DatasetFormat;
  /** The data set's folder. */
  data: string;
  /** Its part, such as train or val. */
  split?: string | undefined;
  /** coco: the JSON file. */
  annotations?: string | undefined;
  /** coco: folder of the pictures. */
  images?: string | undefined;
  /** labelmaps: folder of the label maps. */
  labels?: string | undefined;
  /** labelmaps: what the objects are called. Default: object */
  className?: string | undefined;
  /**
   * coco: whether every object must have a mask. With `optional`, an object without one has the rectangle of its box as mask and
   * `boxOnly` set: enough for Faster R-CNN and the evaluation of boxes. Default: required
   */
  masks?: 'required' | 'optional' | undefined;
  /** What an EXIF orientation does; see ExifSetting. Default: apply, with a warning where that cannot be checked */
  exif?: ExifSetting | undefined;
}

/**
 * Opens a data set of a known format: the index is read, pictures are not. See `openCoco`, `openLabelMaps`,
 * `openCityscapes` and `openKitti` for where files are sought.
 * @throws NlrcnnError ERR_NLRCNN_ARGUMENT for an unknown format and options of another type, else as the format's own function.
 */
export async function openDataset(options: OpenDatasetOptions): Promise<Dataset> {
  checkObject(options, 'an object', 'options');
  if (typeof options.format !== 'string' || !Object.hasOwn(FORMATS, options.format)) {
    throw invalidArgument(`one of ${Object.keys(FORMATS).join(', ')}`, 'format', options.format);
  }
  for (const [name, values] of Object.entries(CHOICES) as [keyof typeof CHOICES, readonly string[]][]) {
    const value = options[name];
    if (value !== undefined && !values.includes(value)) {
      throw invalidArgument(`one of ${values.join(', ')}`, name, value);
    }
  }
  checkText(options.data, "a folder's path", 'data');
  for (const name of TEXTS) {
    if (options[name] !== undefined) checkText(options[name], 'a string', name);
  }
  return FORMATS[options.format](options);
}
