/** The elements of binary tensors as numbers and texts. */
import type { SampleTensor } from './sample-tensors.js';

type Read = (view: DataView, at: number) => number;

/** Bytes of an element, and how it is read; little-endian, as the protocol has it. */
const READERS: Readonly<Record<string, readonly [number, Read]>> = {
  BOOL: [1, (view, at) => view.getUint8(at)],
  UINT8: [1, (view, at) => view.getUint8(at)],
  UINT16: [2, (view, at) => view.getUint16(at, true)],
  UINT32: [4, (view, at) => view.getUint32(at, true)],
  UINT64: [8, (view, at) => Number(view.getBigUint64(at, true))],
  INT8: [1, (view, at) => view.getInt8(at)],
  INT16: [2, (view, at) => view.getInt16(at, true)],
  INT32: [4, (view, at) => view.getInt32(at, true)],
  INT64: [8, (view, at) => Number(view.getBigInt64(at, true))],
  FP16: [2, (view, at) => halfOf(view.getUint16(at, true))],
  BF16: [2, (view, at) => bfloatOf(view.getUint16(at, true))],
  FP32: [4, (view, at) => view.getFloat32(at, true)],
  FP64: [8, (view, at) => view.getFloat64(at, true)],
};

/** Undefined: the data type is not known, or the bytes are not elements of it. */
export function tensorValues({ datatype, data }: Pick<SampleTensor, 'datatype' | 'data'>): (number | string)[] | undefined {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if (datatype === 'BYTES') return textsOf(view, data);
  const [size, read] = READERS[datatype] ?? [];
  if (size === undefined || read === undefined || data.length % size !== 0) return undefined;
  return Array.from({ length: data.length / size }, (_, i) => read(view, i * size));
}

/** Each text after its length in four bytes. */
function textsOf(view: DataView, bytes: Uint8Array): string[] | undefined {
  const texts: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 4 <= bytes.length ? at + 4 + view.getUint32(at, true) : Infinity;
    if (end > bytes.length) return undefined;
    texts.push(new TextDecoder().decode(bytes.subarray(at + 4, end)));
    at = end;
  }
  return texts;
}

/** IEEE 754 binary16: 5 bits of exponent, 10 of fraction. */
function halfOf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The upper half of a binary32. */
function bfloatOf(bits: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint16(0, bits);
  return view.getFloat32(0);
}
