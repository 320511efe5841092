/** Bytes from a file's start that `identify` looks at. */
export const HEAD = 512;

/** The form of a weights file, or what else it is and what to do about it. */
export type Identity = { form: 'safetensors' | 'zip' | 'pickle' } | { what: string; advice: string };

const AGAIN = 'download it again';
const UNPACK = 'unpack it first and name the file within';
const SAVE = 'save its state dict with torch.save or safetensors';

/** Other files by their first bytes (hexadecimal), and where these stand. */
const MAGICS: readonly [bytes: string, what: string, advice: string, at?: number][] = [
  ['1f8b', 'a gzip archive', UNPACK],
  ['425a68', 'a bzip2 archive', UNPACK],
  ['fd377a585a00', 'an xz archive', UNPACK],
  ['377abcaf271c', 'a 7z archive', UNPACK],
  ['526172211a07', 'a RAR archive', UNPACK],
  ['28b52ffd', 'a zstd archive', UNPACK],
  ['7573746172', 'a tar archive', UNPACK, 257],
  ['894844460d0a1a0a', 'an HDF5 file (Keras or TensorFlow)', 'give the PyTorch weights'],
  ['934e554d5059', 'a NumPy .npy array', SAVE],
  ['47475546', 'a GGUF file', 'give the PyTorch weights'],
  ['54464c33', 'a TensorFlow Lite model', 'give the PyTorch weights', 4],
  ['89504e47', 'a PNG image', 'give the weights file'],
  ['ffd8ff', 'a JPEG image', 'give the weights file'],
  ['25504446', 'a PDF document', 'give the weights file'],
  ['7f454c46', 'a program or library (ELF)', 'give the weights file'],
];

/** What a file is by its first bytes (up to `HEAD` of them) and its size, whatever its name. */
export function identify(head: Uint8Array, size: number): Identity {
  if (size === 0) return { what: 'an empty file', advice: AGAIN };
  const bytes = Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, HEAD));
  if (startsWith(bytes, '504b0304') || startsWith(bytes, '504b0506')) return { form: 'zip' };
  // `torch.save` before 1.6, in protocol 2 and up, or in protocol 0 and 1 (its magic number in decimal).
  if (bytes[0] === 0x80 && bytes[1]! <= 5) return { form: 'pickle' };
  if (bytes.toString('latin1').startsWith('L119547037146038801333356L')) return { form: 'pickle' };
  if (isSafetensors(bytes)) return { form: 'safetensors' };
  for (const [magic, what, advice, at] of MAGICS) if (startsWith(bytes, magic, at)) return { what, advice };
  return identifyText(bytes) ?? identifyProtobuf(bytes) ?? unknown(bytes);
}

function startsWith(bytes: Buffer, magic: string, at = 0): boolean {
  return bytes.subarray(at, at + magic.length / 2).toString('hex') === magic;
}

/** A length of 8 bytes that is plausible, then a JSON object. A file cut short is one, too. */
function isSafetensors(bytes: Buffer): boolean {
  if (bytes.length < 8 || bytes.readBigUInt64LE(0) >= 1n << 40n) return false;
  return bytes[8] === 0x7b;
}

function identifyText(bytes: Buffer): Identity | undefined {
  // Control characters that text has none of.
  for (const byte of bytes) if (byte < 9 || (byte > 13 && byte < 32)) return undefined;
  const text = bytes
    .toString('utf8')
    .replace(/^\ufeff/, '')
    .trimStart();
  if (/^version https:\/\/git-lfs\.github\.com\/spec/.test(text)) {
    const size = /^size (\d+)$/m.exec(text)?.[1];
    return {
      what: `a Git LFS pointer${size ? ` to a file of ${size} bytes` : ''}`,
      advice: 'fetch the file itself with git lfs pull',
    };
  }
  if (/^<!doctype html|^<html/i.test(text)) {
    return {
      what: 'an HTML page',
      advice: 'the download failed or asks for a login; download the file itself',
    };
  }
  if (text.startsWith('<')) return { what: 'an XML or HTML document', advice: AGAIN };
  if (/"weight_map"/.test(text)) {
    return { what: 'the index of a sharded checkpoint', advice: 'save all shards as one file' };
  }
  if (/^[[{]/.test(text)) return { what: 'a JSON document', advice: 'give the weights file beside it' };
  return { what: 'a text file', advice: 'give the weights file' };
}

/** Protocol buffers have no magic number: an ir_version or schema version, then what only these have. */
function identifyProtobuf(bytes: Buffer): Identity | undefined {
  if (bytes[0] !== 0x08 || bytes[1]! > 0x20) return undefined;
  if (bytes[1] === 1 && bytes[2] === 0x12) {
    return { what: 'a TensorFlow SavedModel', advice: 'give the PyTorch weights' };
  }
  // producer_name, producer_version, domain, model_version, doc_string, graph, opset_import
  if (![0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42].includes(bytes[2]!)) return undefined;
  return { what: 'an ONNX model', advice: 'give the PyTorch weights that it was exported from' };
}

function unknown(bytes: Buffer): Identity {
  return {
    what: `neither (it begins with the bytes ${bytes.subarray(0, 8).toString('hex')})`,
    advice: 'if it was downloaded, download it again',
  };
}
