import { invalidArgument } from '../errors.js';
import { openCoco } from './coco.js';
import type { Dataset } from './dataset.js';
import { openLabelMaps } from './label-maps.js';
import { openCityscapes, openKitti } from './street-scenes.js';

const FORMATS = { coco: openCoco, labelmaps: openLabelMaps, cityscapes: openCityscapes, kitti: openKitti };

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
}

/**
 * Opens a data set of a known format: the index is read, pictures are not. See `openCoco`, `openLabelMaps`,
 * `openCityscapes` and `openKitti` for where files are sought.
 * @throws NlrcnnError ERR_NLRCNN_ARGUMENT for an unknown format, else as the format's own function.
 */
export async function openDataset(options: OpenDatasetOptions): Promise<Dataset> {
  if (!Object.hasOwn(FORMATS, options.format)) {
    throw invalidArgument(`one of ${Object.keys(FORMATS).join(', ')}`, 'format', options.format);
  }
  return FORMATS[options.format](options);
}
