/** V2 raw bytes and the text of JSON `data`, exact both ways: 64-bit integers never pass through a double. */
import { bytes as bytesTensor, splitBytes } from './tensors.js';

interface ElementType {
  /** Of one element; 0 = each has its own. */
  readonly size: number;
  readonly text: (raw: Buffer, at: number) => string;
  readonly store: (raw: Buffer, at: number, value: unknown) => void;
}

function plain(
  size: number,
  read: (raw: Buffer, at: number) => number | bigint,
  write: (raw: Buffer, at: number, value: string) => void,
): ElementType {
  return {
    size,
    text: (raw, at) => numberText(read(raw, at)),
    store: (raw, at, value) => write(raw, at, Object.is(value, -0) ? '-0' : String(value)),
  };
}

function halfWidth(toNumber: (bits: number) => number): ElementType {
  let bitsOf: Map<string, number> | undefined;
  return {
    size: 2,
    text: (raw, at) => numberText(toNumber(raw.readUInt16LE(at))),
    store: (raw, at, value) => {
      bitsOf ??= new Map(Array.from({ length: 65_536 }, (_, bits) => [numberText(toNumber(bits)), bits]));
      // JSON has the shortest text that is the number as a 32-bit float.
      const bits = bitsOf.get(numberText(Math.fround(value as number)));
      if (bits === undefined) throw new Error(`${String(value)} is no number of a 16-bit type`);
      raw.writeUInt16LE(bits, at);
    },
  };
}

const TYPES: Readonly<Record<string, ElementType>> = {
  BOOL: { size: 1, text: (raw, at) => (raw[at] === 0 ? 'false' : 'true'), store: (raw, at, value) => raw.writeUInt8(Number(value), at) },
  UINT8: plain(
    1,
    (raw, at) => raw.readUInt8(at),
    (raw, at, value) => raw.writeUInt8(Number(value), at),
  ),
  UINT16: plain(
    2,
    (raw, at) => raw.readUInt16LE(at),
    (raw, at, value) => raw.writeUInt16LE(Number(value), at),
  ),
  UINT32: plain(
    4,
    (raw, at) => raw.readUInt32LE(at),
    (raw, at, value) => raw.writeUInt32LE(Number(value), at),
  ),
  UINT64: plain(
    8,
    (raw, at) => raw.readBigUInt64LE(at),
    (raw, at, value) => raw.writeBigUInt64LE(BigInt(value), at),
  ),
  INT8: plain(
    1,
    (raw, at) => raw.readInt8(at),
    (raw, at, value) => raw.writeInt8(Number(value), at),
  ),
  INT16: plain(
    2,
    (raw, at) => raw.readInt16LE(at),
    (raw, at, value) => raw.writeInt16LE(Number(value), at),
  ),
  INT32: plain(
    4,
    (raw, at) => raw.readInt32LE(at),
    (raw, at, value) => raw.writeInt32LE(Number(value), at),
  ),
  INT64: plain(
    8,
    (raw, at) => raw.readBigInt64LE(at),
    (raw, at, value) => raw.writeBigInt64LE(BigInt(value), at),
  ),
  FP16: halfWidth(halfToNumber),
  BF16: halfWidth(brainToNumber),
  FP32: plain(
    4,
    (raw, at) => raw.readFloatLE(at),
    (raw, at, value) => raw.writeFloatLE(Number(value), at),
  ),
  FP64: plain(
    8,
    (raw, at) => raw.readDoubleLE(at),
    (raw, at, value) => raw.writeDoubleLE(Number(value), at),
  ),
};

function typeOf(datatype: string): ElementType {
  const type = TYPES[datatype];
  if (type === undefined) throw new Error(`${datatype} has no form in JSON`);
  return type;
}

/** Elements as JSON texts; none for a type that does not exist. BYTES must be UTF-8. A remainder that is no whole element is left out. */
export function jsonElements(datatype: string, raw: Buffer): string[] {
  if (datatype === 'BYTES') return splitBytes(raw).map((element) => JSON.stringify(element.toString('utf8')));
  if (TYPES[datatype] === undefined) return [];
  const { size, text } = typeOf(datatype);
  return Array.from({ length: Math.floor(raw.length / size) }, (_, i) => text(raw, i * size));
}

/** `data` as `parseExactly` gives it. */
export function rawFromJson(datatype: string, data: readonly unknown[]): Buffer {
  if (datatype === 'BYTES') return bytesTensor('', [data.length], data as string[]).raw;
  const { size, store } = typeOf(datatype);
  const raw = Buffer.alloc(data.length * size);
  data.forEach((value, i) => store(raw, i * size, value));
  return raw;
}

/** JSON.parse, but whole numbers that a double might not hold come as strings. */
export function parseExactly(json: string): unknown {
  const quoted = json.replace(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g, (token) =>
    /^-?\d{16,}$/.test(token) ? `"${token}"` : token,
  );
  return JSON.parse(quoted);
}

function numberText(value: number | bigint): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

/** IEEE 754 binary16. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

/** bfloat16: the upper half of a binary32. */
export function brainToNumber(bits: number): number {
  const wide = Buffer.alloc(4);
  wide.writeUInt16LE(bits, 2);
  return wide.readFloatLE();
}
