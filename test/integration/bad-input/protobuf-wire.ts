/** Protobuf and gRPC framing by hand, right and wrong. */

export function varint(value: bigint | number): Buffer {
  const bytes: number[] = [];
  for (let rest = BigInt.asUintN(64, BigInt(value)); ;) {
    const low = Number(rest & 127n);
    rest >>= 7n;
    bytes.push(rest === 0n ? low : low | 128);
    if (rest === 0n) return Buffer.from(bytes);
  }
}

export const Wire = { varint: 0, fixed64: 1, delimited: 2, groupStart: 3, groupEnd: 4, fixed32: 5 } as const;

export function tag(field: number | bigint, wire: number): Buffer {
  return varint((BigInt(field) << 3n) | BigInt(wire));
}

export function number(field: number, value: bigint | number): Buffer {
  return Buffer.concat([tag(field, Wire.varint), varint(value)]);
}

/** A string, bytes or an embedded message. */
export function delimited(field: number, ...content: (string | Buffer)[]): Buffer {
  const bytes = Buffer.concat(content.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
  return Buffer.concat([tag(field, Wire.delimited), varint(bytes.length), bytes]);
}

export function packed(field: number, values: readonly (bigint | number)[]): Buffer {
  return delimited(field, Buffer.concat(values.map(varint)));
}

export function float32s(...values: number[]): Buffer {
  return Buffer.from(Float32Array.from(values).buffer);
}

/** Fields of ModelInferRequest and of the messages in it. */
export const Field = {
  modelName: 1,
  modelVersion: 2,
  id: 3,
  parameters: 4,
  inputs: 5,
  outputs: 6,
  raw: 7,
  name: 1,
  datatype: 2,
  shape: 3,
  inputParameters: 4,
  contents: 5,
  outputParameters: 2,
} as const;

export interface GrpcInput {
  readonly name?: string;
  readonly datatype?: string;
  readonly shape?: readonly (bigint | number)[];
  /** Further fields of the input, contents among them. */
  readonly more?: readonly Buffer[];
}

/** InferInputTensor of identity_fp32 unless said otherwise. */
export function grpcInput({ name = 'INPUT0', datatype = 'FP32', shape = [1, 2], more = [] }: GrpcInput = {}): Buffer {
  return delimited(
    Field.inputs,
    delimited(Field.name, name),
    delimited(Field.datatype, datatype),
    ...(shape.length > 0 ? [packed(Field.shape, shape)] : []),
    ...more,
  );
}

/** A ModelInferRequest. By default a good one for identity_fp32; `more` is appended. */
export function grpcRequest(options: {
  readonly model?: string;
  readonly inputs?: readonly Buffer[];
  readonly raw?: readonly Buffer[];
  readonly more?: readonly Buffer[];
}): Buffer {
  const { model = 'identity_fp32', inputs = [grpcInput()], raw = [float32s(1, 2)], more = [] } = options;
  return Buffer.concat([delimited(Field.modelName, model), ...inputs, ...raw.map((bytes) => delimited(Field.raw, bytes)), ...more]);
}

/** The five bytes in front of each gRPC message, and the message. */
export function frame(message: Buffer, { compressed = 0, length = message.length } = {}): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt8(compressed, 0);
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, message]);
}
