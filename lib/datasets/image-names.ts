import { NlrcnnError } from '../errors.js';
import { nameSome } from './classes.js';
import type { CocoImage } from './coco-file.js';

interface Listed {
  image: CocoImage;
  /** Folders and name. */
  parts: string[];
}

/** Finds images of an instances file by name. */
export class ImageNames {
  readonly #file: string;
  readonly #byName = new Map<string, Listed[]>();

  constructor(images: readonly CocoImage[], file: string) {
    this.#file = file;
    for (const image of images) {
      if (typeof image.file_name !== 'string') continue;
      const parts = partsOf(image.file_name);
      const name = parts.at(-1) ?? '';
      const own = this.#byName.get(name);
      if (own) own.push({ image, parts });
      else this.#byName.set(name, [{ image, parts }]);
    }
  }

  /**
   * The image whose whole `file_name` ends `path`, the longest of several; else that of the same base name, where several are the one
   * that has most folders before it in common.
   * @throws NlrcnnError ERR_NLRCNN_DATASET where there is none, and where several fit alike.
   */
  find(path: string): CocoImage {
    const parts = partsOf(path);
    const listed = this.#byName.get(parts.at(-1) ?? '') ?? [];
    const common = listed.map((one) => commonEnd(one.parts, parts));
    const whole = listed.map((one, i) => (common[i] === one.parts.length ? common[i] : 0));
    const scores = whole.some((length) => length > 0) ? whole : common;
    const most = Math.max(...scores);
    const best = listed.filter((_, i) => scores[i] === most);
    if (best.length === 1) return best[0]!.image;
    const why =
      best.length === 0
        ? 'none has that name'
        : `${nameSome(best.map(({ image }) => `${image.file_name} (id ${image.id})`))} could be meant`;
    throw new NlrcnnError(
      'ERR_NLRCNN_DATASET',
      `Expected ${path} to be one of the images of ${this.#file} but ${why}`,
    );
  }
}

/** Also of Windows' paths. */
const partsOf = (path: string): string[] => path.split(/[\\/]/).filter((part) => part !== '' && part !== '.');

/** How many parts at the end are equal. */
function commonEnd(a: readonly string[], b: readonly string[]): number {
  let count = 0;
  while (count < Math.min(a.length, b.length) && a.at(-1 - count) === b.at(-1 - count)) count++;
  return count;
}
