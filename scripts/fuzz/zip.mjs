import { crc32 } from 'node:zlib';

/** The entries of a zip file whose entries are stored: name and content. Undefined where it is none. */
export function unzip(bytes) {
  try {
    const end = bytes.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
    const entries = [];
    let at = bytes.readUInt32LE(end + 16);
    for (let i = bytes.readUInt16LE(end + 10); i > 0; i--) {
      const [nameLength, extra, comment] = [28, 30, 32].map((offset) => bytes.readUInt16LE(at + offset));
      const [size, local] = [bytes.readUInt32LE(at + 20), bytes.readUInt32LE(at + 42)];
      const start = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
      entries.push([
        bytes.subarray(at + 46, at + 46 + nameLength).toString('latin1'),
        bytes.subarray(start, start + size),
      ]);
      at += 46 + nameLength + extra + comment;
    }
    return entries.length > 0 ? entries : undefined;
  } catch {
    return undefined;
  }
}

/** A zip file of stored entries. */
export function zip(entries) {
  const [parts, directory] = [[], []];
  let at = 0;
  for (const [name, content] of entries) {
    const text = Buffer.from(name, 'latin1');
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt32LE(crc32(content), 10);
    common.writeUInt32LE(content.length, 14);
    common.writeUInt32LE(content.length, 18);
    common.writeUInt16LE(text.length, 22);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(at, 10);
    parts.push(Buffer.from('PK\x03\x04', 'latin1'), common, text, content);
    directory.push(Buffer.from('PK\x01\x02\x14\x00', 'latin1'), common, tail, text);
    at += 30 + text.length + content.length;
  }
  const listing = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(listing.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, listing, end]);
}
