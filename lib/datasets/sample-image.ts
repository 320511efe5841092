import { NlrcnnError } from '../errors.js';
import { decodeCaptured } from '../images/decode.js';
import { captureImage, type Pixels } from '../images/input.js';
import { warnOnce } from '../warnings.js';
import type { Sample } from './dataset.js';

interface Shape {
  width: number;
  height: number;
  orientation?: number;
}

/**
 * The pixels of a sample's image that its annotations count in, turned by its EXIF orientation unless that is ignored; `scaled` as
 * `decodeCaptured`.
 * @throws NlrcnnError as `decodeImage` and `checkImageSize`.
 */
export async function imageOf(sample: Sample, scaled: boolean): Promise<Pixels> {
  const orient = sample.exif !== 'ignore';
  const pixels = await decodeCaptured(captureImage(sample.image), { scaled, orient });
  checkImageSize(sample, pixels);
  return pixels;
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
