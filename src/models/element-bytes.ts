/** One element of a tensor, out of its text in a configuration. */
import type { DataTypeName } from '../bridge/data-type.js';

const INTEGERS: Readonly<Partial<Record<DataTypeName, { readonly bytes: number; readonly signed: boolean }>>> = {
  UINT8: { bytes: 1, signed: false },
  UINT16: { bytes: 2, signed: false },
  UINT32: { bytes: 4, signed: false },
  UINT64: { bytes: 8, signed: false },
  INT8: { bytes: 1, signed: true },
  INT16: { bytes: 2, signed: true },
  INT32: { bytes: 4, signed: true },
  INT64: { bytes: 8, signed: true },
};

const WHOLE = /^[-+]?\d{1,20}$/;
const DECIMAL = /^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/;

/** Little-endian, rounded to the nearest where a float cannot hold the number; undefined where the type has no such value, and for BYTES. */
export function elementBytes(type: DataTypeName, text: string): readonly number[] | undefined {
  if (type === 'BOOL') return text === '0' || text === '1' ? [Number(text)] : undefined;
  const integer = INTEGERS[type];
  if (integer !== undefined) return WHOLE.test(text) ? integerBytes(BigInt(text.replace('+', '')), integer) : undefined;
  return DECIMAL.test(text) ? floatBytes(type, Number(text)) : undefined;
}

function integerBytes(
  value: bigint,
  { bytes, signed }: { readonly bytes: number; readonly signed: boolean },
): readonly number[] | undefined {
  const bits = bytes * 8;
  if ((signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value)) !== value) return undefined;
  return littleEndian(BigInt.asUintN(bits, value), bytes);
}

function floatBytes(type: DataTypeName, value: number): readonly number[] | undefined {
  const view = new DataView(new ArrayBuffer(8));
  switch (type) {
    case 'FP64':
      view.setFloat64(0, value);
      return Number.isFinite(value) ? littleEndian(view.getBigUint64(0), 8) : undefined;
    case 'FP32':
      view.setFloat32(0, value);
      return Number.isFinite(Math.fround(value)) ? littleEndian(BigInt(view.getUint32(0)), 4) : undefined;
    case 'FP16':
      return shortFloat(value, { fractionBits: 10, leastExponent: -14, mostExponent: 15 });
    case 'BF16':
      return shortFloat(value, { fractionBits: 7, leastExponent: -126, mostExponent: 127 });
    default:
      return undefined;
  }
}

interface ShortFormat {
  readonly fractionBits: number;
  /** Of numbers with a full fraction; smaller ones have that exponent, too. */
  readonly leastExponent: number;
  readonly mostExponent: number;
}

function shortFloat(value: number, { fractionBits, leastExponent, mostExponent }: ShortFormat): readonly number[] | undefined {
  const size = Math.abs(value);
  if (!Number.isFinite(size)) return undefined;
  const exponent = size === 0 ? leastExponent : Math.max(leastExponent, Math.floor(Math.log2(size)));
  // The implicit first bit adds one to the exponent where there is one, and so does a fraction that is rounded up to the next power of two.
  const bits = (exponent - leastExponent) * 2 ** fractionBits + roundHalfEven(size / 2 ** (exponent - fractionBits));
  if (bits >= (mostExponent - leastExponent + 2) * 2 ** fractionBits) return undefined;
  return littleEndian(BigInt(bits + (value < 0 ? 0x8000 : 0)), 2);
}

function roundHalfEven(value: number): number {
  const rounded = Math.round(value);
  return value % 1 === 0.5 && rounded % 2 === 1 ? rounded - 1 : rounded;
}

function littleEndian(bits: bigint, bytes: number): readonly number[] {
  return Array.from({ length: bytes }, (_, i) => Number((bits >> BigInt(8 * i)) & 0xffn));
}
