/** File formats that are decoded; everything else is refused by its first bytes, before any decoder sees it. */
export type ImageFormat = 'jpeg' | 'png' | 'webp' | 'tiff';

const DECODED: readonly string[] = ['jpeg', 'png', 'webp', 'tiff'] satisfies ImageFormat[];

/** First bytes as Latin-1 text, from an offset on. */
const SIGNATURES: readonly (readonly [name: string, offset: number, ...texts: string[]])[] = [
  ['jpeg', 0, '\xff\xd8\xff'],
  ['png', 0, '\x89PNG\r\n\x1a\n'],
  ['webp', 8, 'WEBP'],
  ['tiff', 0, 'II*\0', 'MM\0*', 'II+\0', 'MM\0+'],
  ['gif', 0, 'GIF87a', 'GIF89a'],
  ['avif', 4, 'ftypavi'],
  ['heif', 4, 'ftyphei', 'ftyphev', 'ftypmif1', 'ftypmsf1'],
  ['jpeg 2000', 0, '\0\0\0\x0cjP  ', '\xff\x4f\xff\x51'],
  ['jpeg xl', 0, '\xff\x0a', '\0\0\0\x0cJXL '],
  ['bmp', 0, 'BM'],
  ['icon', 0, '\0\0\x01\0', '\0\0\x02\0'],
  ['pdf', 0, '%PDF-'],
  ['postscript', 0, '%!PS'],
  ['psd', 0, '8BPS'],
  ['openexr', 0, '\x76\x2f\x31\x01'],
  ['radiance hdr', 0, '#?RADIANCE', '#?RGBE'],
  ['fits', 0, 'SIMPLE  ='],
  ['dicom', 128, 'DICM'],
  ['numpy', 0, '\x93NUMPY'],
  ['hdf5', 0, '\x89HDF\r\n'],
  ['zip', 0, 'PK\x03\x04'],
  ['gzip', 0, '\x1f\x8b'],
  ['git lfs pointer', 0, 'version https://git-lfs'],
];

/** Text formats, which may begin with a byte order mark, blanks and comments. */
const TEXTS: readonly (readonly [string, RegExp])[] = [
  ['svg', /^[^<]{0,64}<(?:[\s\S]*<)?svg[\s>]/i],
  ['html', /^[^<]{0,64}<(!doctype html|html)/i],
  ['xml', /^[^<]{0,64}<\?xml/],
  ['netpbm', /^P[1-7]\s/],
];

/** Name of the format that `bytes` begin as, such as `png` or `pdf`; undefined where it is not known. */
export function formatOf(bytes: Uint8Array): string | undefined {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 1024)).toString('latin1');
  const found =
    SIGNATURES.find(([, offset, ...texts]) => texts.some((text) => head.startsWith(text, offset))) ??
    TEXTS.find(([, pattern]) => pattern.test(head));
  return found?.[0];
}

export const isDecoded = (format: string | undefined): format is ImageFormat =>
  format !== undefined && DECODED.includes(format);
