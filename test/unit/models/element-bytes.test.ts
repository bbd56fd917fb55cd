import { describe, expect, it } from 'vitest';
import type { DataTypeName } from '../../../src/bridge/data-type.js';
import { elementBytes } from '../../../src/models/element-bytes.js';
import { halfToNumber } from '../../support/json-data.js';

const bits = (type: DataTypeName, text: string): number | undefined => {
  const bytes = elementBytes(type, text);
  return bytes?.reduceRight((sum, byte) => sum * 256 + byte, 0);
};

describe('an element out of its text', () => {
  it.each<[DataTypeName, string, readonly number[]]>([
    ['BOOL', '1', [1]],
    ['UINT8', '255', [255]],
    ['INT8', '-128', [0x80]],
    ['INT16', '-2', [0xfe, 0xff]],
    ['UINT32', '305419896', [0x78, 0x56, 0x34, 0x12]],
    ['INT64', '-9223372036854775808', [0, 0, 0, 0, 0, 0, 0, 0x80]],
    ['UINT64', '18446744073709551615', [255, 255, 255, 255, 255, 255, 255, 255]],
    ['INT64', '+9007199254740993', [1, 0, 0, 0, 0, 0, 0x20, 0]],
    ['FP32', '-1e4', [0, 0x40, 0x1c, 0xc6]],
    ['FP64', '.5', [0, 0, 0, 0, 0, 0, 0xe0, 0x3f]],
    ['FP16', '-0.5', [0, 0xb8]],
    ['BF16', '1', [0x80, 0x3f]],
  ])('%s %s has the bytes that lie in memory', (type, text, bytes) => {
    expect(elementBytes(type, text)).toEqual(bytes);
  });

  it.each<[DataTypeName, string]>([
    ['BOOL', '2'],
    ['UINT8', '256'],
    ['UINT8', '-1'],
    ['INT8', '128'],
    ['INT64', '9223372036854775808'],
    ['UINT64', '18446744073709551616'],
    ['INT32', '1.0'],
    ['INT32', ''],
    ['INT32', '0x10'],
    ['FP32', '1e39'],
    ['FP32', 'NaN'],
    ['FP64', '1e309'],
    ['FP16', '65520'],
    ['BF16', '3.4e38'],
    ['BF16', '1e309'],
    ['BYTES', '0'],
    ['INVALID', '0'],
  ])('%s has no %s', (type, text) => {
    expect(elementBytes(type, text)).toBeUndefined();
  });

  it('is every half that there is, and the nearest one of any other number', () => {
    const halves = Array.from({ length: 0x7c00 }, (_, half) => halfToNumber(half));
    halves.forEach((value, half) => {
      if (bits('FP16', String(value)) !== half) throw new Error(`${value} is ${bits('FP16', String(value))}, not ${half}`);
      const between = (value + (halves[half + 1] ?? value)) / 2;
      // Halfway goes to the even one.
      if (between !== value && bits('FP16', String(between)) !== half + (half % 2)) throw new Error(`${between} is rounded to another`);
    });
    expect(halves).toHaveLength(0x7c00);
  });

  it('is every BF16 that there is, which is the upper half of an FP32', () => {
    const view = new DataView(new ArrayBuffer(4));
    for (let upper = 0; upper < 0x7f80; upper++) {
      view.setUint16(0, upper);
      const text = String(view.getFloat32(0));
      if (bits('BF16', text) !== upper) throw new Error(`${text} is ${bits('BF16', text)}, not ${upper}`);
    }
  });
});
