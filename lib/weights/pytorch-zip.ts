import yauzl from 'yauzl';
import { NlrcnnError } from '../errors.js';
import { type ByteSource, badWeights } from './byte-source.js';

/** Where the bytes of an archive's file lie. */
export interface StoredFile {
  /** Of its local header, which its bytes follow. */
  header: number;
  size: number;
}

/** A checkpoint of 1000 tensors with its optimizer has some 4000. */
const MAX_FILES = 200_000;
/** What is read at once from the archive's end, where its directory is. */
const TAIL = 1 << 20;
const LOCAL_HEADER = 30;

/**
 * The files of a zip archive by name, none of them compressed, as `torch.save` writes it. A zip of another kind is told
 * from its names.
 * @throws NlrcnnError ERR_NLRCNN_WEIGHTS for what is no such archive, ERR_NLRCNN_IO.
 */
export async function readDirectory(source: ByteSource): Promise<Map<string, StoredFile>> {
  const start = Math.max(0, source.size - TAIL);
  const zip = await openZip(
    source,
    new SourceReader(source, start, await source.read(start, source.size - start)),
  );
  if (zip.entryCount > MAX_FILES)
    throw badWeights(source.name, `an archive of at most ${MAX_FILES} files but it has ${zip.entryCount}`);
  const files = new Map<string, StoredFile>();
  let problem: string | undefined;
  for (const entry of await readEntries(source, zip)) {
    const { fileName, compressionMethod, uncompressedSize, relativeOffsetOfLocalHeader } = entry;
    if (files.has(fileName)) problem ??= `its file ${fileName.slice(0, 80)} is there twice`;
    if (compressionMethod !== 0 || entry.isEncrypted())
      problem ??= `its file ${fileName.slice(0, 80)} is compressed or encrypted, which torch.save's are not`;
    files.set(fileName, { header: relativeOffsetOfLocalHeader, size: uncompressedSize });
  }
  // A zip of another kind is first of all that, compressed or not.
  const other = otherKind([...files.keys()]);
  if (other) throw badWeights(source.name, `a PyTorch checkpoint but it is ${other}`);
  if (problem) throw badWeights(source.name, `a PyTorch checkpoint as torch.save writes it but ${problem}`);
  return files;
}

/** `length` bytes of a stored file, from `start` on. */
export async function readStored(
  source: ByteSource,
  { header, size }: StoredFile,
  start = 0,
  length = size,
): Promise<Uint8Array> {
  if (start + length > size)
    throw badWeights(source.name, `${start + length} bytes in a storage but it has ${size}`);
  const local = await source.read(header, LOCAL_HEADER);
  const view = new DataView(local.buffer);
  if (view.getUint32(0, true) !== 0x04034b50)
    throw badWeights(source.name, 'an archive whose files are where its directory says');
  const data = header + LOCAL_HEADER + view.getUint16(26, true) + view.getUint16(28, true);
  return source.read(data + start, length);
}

function openZip(source: ByteSource, reader: SourceReader): Promise<yauzl.ZipFile> {
  return new Promise((resolve, reject) => {
    yauzl.fromRandomAccessReader(
      reader,
      source.size,
      { lazyEntries: true, autoClose: false },
      (error, zip) => {
        if (!error) return resolve(zip);
        if (error instanceof NlrcnnError) return reject(error);
        const cut = /end of central directory/i.test(error.message);
        const what = cut
          ? 'the whole of a zip archive but its end is missing: it is cut short, download it again'
          : `a zip archive (${error.message})`;
        reject(badWeights(source.name, what, error));
      },
    );
  });
}

function readEntries(source: ByteSource, zip: yauzl.ZipFile): Promise<yauzl.Entry[]> {
  const entries: yauzl.Entry[] = [];
  return new Promise((resolve, reject) => {
    zip.on('entry', (entry: yauzl.Entry) => {
      entries.push(entry);
      zip.readEntry();
    });
    zip.once('end', () => resolve(entries));
    zip.once('error', (error: Error) => {
      const unread = error instanceof NlrcnnError;
      reject(
        unread
          ? error
          : badWeights(source.name, `a sound zip archive (${error.message.slice(0, 200)})`, error),
      );
    });
    zip.readEntry();
  });
}

function otherKind(names: readonly string[]): string | undefined {
  const some = (pattern: RegExp) => names.some((name) => pattern.test(name));
  if (some(/(^|\/)constants\.pkl$/) || some(/^[^/]*\/code\//)) {
    return 'a TorchScript program: save its weights alone, torch.save(torch.jit.load(FILE).state_dict(), "weights.pth")';
  }
  if (some(/(^|\/)data\.pkl$/)) return undefined;
  if (some(/(^|\/)archive_format$/)) return 'a program of torch.export: save the state dict of its module';
  if (names.length > 0 && names.every((name) => name.endsWith('.npy'))) return 'a NumPy .npz archive';
  if (some(/\.weights\.h5$/)) return 'a Keras model: give the PyTorch weights';
  const inside = names.find((name) => /\.(safetensors|pth|pt|ckpt|bin)$/i.test(name));
  if (inside) return `a zip archive: unpack it and give ${inside.slice(0, 80)}`;
  return `a zip archive of other files (${names.slice(0, 3).join(', ').slice(0, 120) || 'none'})`;
}

/** Hands yauzl the archive's directory from memory and anything else from the source. */
class SourceReader extends yauzl.RandomAccessReader {
  constructor(
    readonly source: ByteSource,
    readonly start: number,
    readonly tail: Uint8Array,
  ) {
    super();
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    if (position >= this.start && position + length <= this.source.size) {
      buffer.set(this.tail.subarray(position - this.start, position - this.start + length), offset);
      setImmediate(callback, null);
      return;
    }
    this.source.read(position, length).then(
      (bytes) => {
        buffer.set(bytes, offset);
        callback(null);
      },
      (error: Error) => callback(error),
    );
  }
}
