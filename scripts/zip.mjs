/** Reads files out of a zip archive in memory: enough for what the Go proxy serves (no zip64, no encryption). */
import { readFileSync } from 'node:fs';
import { inflateRawSync } from 'node:zlib';

const END_SIGNATURE = 0x06054b50;
const END_BYTES = 22;
const LONGEST_COMMENT_BYTES = 0xffff;
const ENTRY_BYTES = 46;
const LOCAL_HEADER_BYTES = 30;
const DEFLATED = 8;

/** The files whose names `wanted` accepts: `[{ name, content }]`, content as a Buffer. Throws when `archive` is not a zip file. */
export function readZip(archive, wanted) {
  const bytes = readFileSync(archive);
  const end = findEnd(bytes);
  if (end === undefined) throw new Error(`${archive} is not a zip file`);
  const found = [];
  // Layout: section 4.3 of PKWARE's APPNOTE. The directory at the end is the only truth; local headers may lack the sizes.
  let at = bytes.readUInt32LE(end + 16);
  for (let left = bytes.readUInt16LE(end + 10) || Infinity; left > 0 && at + ENTRY_BYTES <= end; left -= 1) {
    const nameBytes = bytes.readUInt16LE(at + 28);
    const name = bytes.toString('utf8', at + ENTRY_BYTES, at + ENTRY_BYTES + nameBytes);
    if (wanted(name)) found.push({ name, content: contentOf(bytes, at) });
    at += ENTRY_BYTES + nameBytes + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
  }
  return found;
}

function findEnd(bytes) {
  const lowest = Math.max(0, bytes.length - END_BYTES - LONGEST_COMMENT_BYTES);
  for (let at = bytes.length - END_BYTES; at >= lowest; at -= 1) if (bytes.readUInt32LE(at) === END_SIGNATURE) return at;
  return undefined;
}

function contentOf(bytes, entry) {
  const local = bytes.readUInt32LE(entry + 42);
  const start = local + LOCAL_HEADER_BYTES + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
  const data = bytes.subarray(start, start + bytes.readUInt32LE(entry + 20));
  return bytes.readUInt16LE(entry + 10) === DEFLATED ? inflateRawSync(data) : data;
}
