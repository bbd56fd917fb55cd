/** Tensor data types by number, as in native/base/data_type.h and Triton's DataType enum (a test compares the tables). */
export const DATA_TYPE_NAMES = [
  'INVALID',
  'BOOL',
  'UINT8',
  'UINT16',
  'UINT32',
  'UINT64',
  'INT8',
  'INT16',
  'INT32',
  'INT64',
  'FP16',
  'FP32',
  'FP64',
  'BYTES',
  'BF16',
] as const;

export type DataTypeName = (typeof DATA_TYPE_NAMES)[number];

/** Protocol name of a number; INVALID when there is none. */
export function dataTypeName(dataType: number): DataTypeName {
  return DATA_TYPE_NAMES[dataType] ?? 'INVALID';
}

/** Number of a protocol name; 0 when it is not one. */
export function dataTypeNumber(name: string): number {
  return Math.max(0, (DATA_TYPE_NAMES as readonly string[]).indexOf(name));
}

/** `FP32` <-> `TYPE_FP32`; BYTES is TYPE_STRING in model configurations. */
export function configDataType(name: DataTypeName): string {
  return name === 'BYTES' ? 'TYPE_STRING' : `TYPE_${name}`;
}

export function dataTypeOfConfig(text: string): DataTypeName | undefined {
  const name = text === 'TYPE_STRING' ? 'BYTES' : text.replace(/^TYPE_/, '');
  return text.startsWith('TYPE_') && text !== 'TYPE_BYTES' && name !== 'INVALID'
    ? DATA_TYPE_NAMES.find((candidate) => candidate === name)
    : undefined;
}
