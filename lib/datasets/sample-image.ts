import sharp from 'sharp';
import { NlrcnnError } from '../errors.js';
import { decodeImage, type ImageInput } from '../images/decode.js';
import { captureImage } from '../images/input.js';
import { warnOnce } from '../warnings.js';
import type { Sample } from './dataset.js';

interface Shape {
  width: number;
  height: number;
  orientation?: number;
}

/**
 * The image of a sample in the pixels that its annotations count in, to segment or to draw: where its EXIF orientation is to be
 * ignored, decoded that way.
 * @throws NlrcnnError as `checkImageSize` and, where it had to be decoded, as `decodeImage`.
 */
export async function imageOf(sample: Sample): Promise<ImageInput> {
  const { image, exif } = sample;
  const upright = await uprightShape(image);
  if (!upright) return image;
  if (exif !== 'ignore') {
    checkImageSize(sample, upright);
    return image;
  }
  const pixels = await decodeImage(image, { orient: false });
  checkImageSize(sample, pixels);
  return pixels;
}

/** Of a file with an orientation; undefined for all else, also for files that do not decode. */
async function uprightShape(image: ImageInput): Promise<Shape | undefined> {
  const captured = captureImage(image); // never shared memory for sharp
  if ('pixels' in captured) return undefined;
  try {
    const file = 'path' in captured ? captured.path : captured.bytes;
    const { width, height, orientation = 1 } = await sharp(file).metadata();
    if (orientation < 2) return undefined;
    return orientation < 5 ? { width, height, orientation } : { width: height, height: width, orientation };
  } catch {
    return undefined;
  }
}

/**
 * Warns once where an image has an EXIF orientation that its size cannot tell from none, and nothing was said on it.
 * @throws NlrcnnError ERR_NLRCNN_DATASET where the image is not of the annotations' size; it names EXIF where that is why.
 */
export function checkImageSize(
  { name, width, height, exif }: Sample,
  { width: own, height: tall, orientation = 1 }: Shape,
): void {
  if (own !== width || tall !== height) {
    const turned = orientation > 4 && own === height && tall === width;
    const why =
      exif === 'ignore'
        ? 'is ignored, while its annotations count upright pixels; set exif to "apply" (data.exif, --exif apply)'
        : 'is applied, while its annotations count stored pixels; set exif to "ignore" (data.exif, --exif ignore)';
    throw new NlrcnnError(
      'ERR_NLRCNN_DATASET',
      `Expected ${name} to be ${width} × ${height} as its annotations say but it is ${own} × ${tall}${turned ? `: its EXIF orientation ${orientation} ${why}` : ''}`,
    );
  }
  if (exif === undefined && orientation > 1 && (orientation < 5 || own === tall)) {
    warnOnce(
      'NLRCNN_EXIF',
      'images have an EXIF orientation that does not show in their sizes; their annotations are taken to count upright pixels. ' +
        'Where they count stored ones (as Pillow, torchvision and pycocotools do), set exif to "ignore" (data.exif, --exif ignore); "apply" confirms',
    );
  }
}
