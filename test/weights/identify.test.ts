import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import test from 'ava';
import { openWeights, parseWeights } from '../../dist/weights/open.js';
import { zipOf } from '../helpers/zip.js';

const folder = mkdtempSync(join(tmpdir(), 'nlrcnn-'));
const hex = (bytes: string) => Buffer.concat([Buffer.from(bytes, 'hex'), Buffer.alloc(64, 7)]);
const text = (value: string) => Buffer.from(value);

function tar(): Buffer {
  const bytes = Buffer.alloc(1024);
  bytes.write('weights.pth');
  bytes.write('ustar', 257);
  return bytes;
}

function safetensors(length: number): Buffer {
  const bytes = Buffer.alloc(40, ' ');
  bytes.writeBigUInt64LE(BigInt(length));
  bytes.write('{"a":', 8);
  return bytes;
}

const OTHERS: [string, Buffer, RegExp][] = [
  ['an empty file', Buffer.alloc(0), /has 0 bytes: download it again/],
  ['a page', text('<!DOCTYPE html><html>Not found</html>'), /an HTML page: the download failed/],
  ['a page after spaces', text('\ufeff\n  <HTML lang="en">'), /an HTML page/],
  ['XML', text('<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'), /an XML or HTML document/],
  [
    'a pointer',
    text('version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 123\n'),
    /a Git LFS pointer to a file of 123 bytes: fetch the file itself with git lfs pull/,
  ],
  ['JSON', text('{\n  "backbone": "resnet50"\n}'), /a JSON document: give the weights file/],
  ['an index', text('{"metadata": {}, "weight_map": {"a": "model-1.safetensors"}}'), /index of a sharded/],
  ['text', text('Access denied.\n'), /a text file/],
  ['gzip', gzipSync('x'), /a gzip archive: unpack it first/],
  ['bzip2', hex('425a6839'), /a bzip2 archive/],
  ['xz', hex('fd377a585a00'), /an xz archive/],
  ['7z', hex('377abcaf271c'), /a 7z archive/],
  ['zstd', hex('28b52ffd'), /a zstd archive/],
  ['rar', hex('526172211a0700'), /a RAR archive/],
  ['tar', tar(), /a tar archive: unpack it first/],
  ['HDF5', hex('894844460d0a1a0a'), /an HDF5 file \(Keras or TensorFlow\)/],
  ['npy', hex('934e554d5059'), /a NumPy \.npy array/],
  ['GGUF', text('GGUF\u0003\0\0\0'), /a GGUF file/],
  ['ONNX of PyTorch', hex('08081207'), /an ONNX model: give the PyTorch weights/],
  ['ONNX of another', hex('080a3a90'), /an ONNX model/],
  ['SavedModel', hex('08011284'), /a TensorFlow SavedModel/],
  ['TFLite', hex('1c00000054464c33'), /a TensorFlow Lite model/],
  ['PNG', hex('89504e470d0a1a0a'), /a PNG image/],
  ['JPEG', hex('ffd8ffe0'), /a JPEG image/],
  ['noise', hex('f1e2d3c4b5a69788'), /neither \(it begins with the bytes f1e2d3c4b5a69788\)/],
  ['a few bytes', hex('01').subarray(0, 3), /neither/],
  ['safetensors cut in the header', safetensors(5000), /cut short, download it again/],
  ['npz', zipOf([{ name: 'a.npy', data: text('x') }]), /a NumPy \.npz archive/],
  [
    'Keras',
    zipOf([
      { name: 'config.json', data: text('{}') },
      { name: 'model.weights.h5', data: text('x'), method: 8 },
    ]),
    /a Keras model/,
  ],
  [
    'a zip of weights',
    zipOf([{ name: 'run/best.pth', data: text('x'), method: 8 }]),
    /a zip archive: unpack it and give run\/best\.pth/,
  ],
  ['a zip of others', zipOf([{ name: 'a.txt', data: text('x') }]), /a zip archive of other files \(a\.txt\)/],
  ['an empty zip', zipOf([]), /a zip archive of other files \(none\)/],
  ['a zip cut short', zipOf([{ name: 'a.txt', data: text('x') }]).subarray(0, 40), /its end is missing/],
];

for (const [what, bytes, message] of OTHERS) {
  test(`${what} is called what it is, whatever its name`, async (t) => {
    const code = 'ERR_NLRCNN_WEIGHTS';
    await t.throwsAsync(parseWeights(bytes), { code, message });
    for (const name of ['pth', 'safetensors', '']) {
      const path = join(folder, `${what.replaceAll(' ', '-')}.${name}`);
      writeFileSync(path, bytes);
      const error = await t.throwsAsync(openWeights(path), { code, message });
      t.true(error!.message.startsWith(`${path}: `));
    }
  });
}

test('what is no file is refused, without waiting', async (t) => {
  const code = 'ERR_NLRCNN_IO';
  const inside = join(folder, 'run');
  mkdirSync(inside);
  await t.throwsAsync(openWeights(inside), { code, message: /is a directory$/ });
  writeFileSync(join(inside, 'model.safetensors'), '');
  await t.throwsAsync(openWeights(inside), {
    code,
    message: /is a directory; name a file in it, such as .*run\/model\.safetensors$/,
  });
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  await t.throwsAsync(openWeights(join(folder, 'pipe')), { code, message: /is no regular file/ });
  await t.throwsAsync(openWeights('/dev/zero'), { code, message: /is no regular file/ });
  await t.throwsAsync(openWeights(join(folder, 'none')), { code, message: /cannot be opened \(ENOENT\)/ });
});
