/** Tensors as tests hold them: a data type, a shape and the V2 raw bytes; and the requests made of them. */

export interface TestTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly raw: Buffer;
}

export function fp32(name: string, shape: readonly number[], values: Iterable<number>): TestTensor {
  const array = Float32Array.from(values);
  return { name, datatype: 'FP32', shape, raw: Buffer.from(array.buffer, array.byteOffset, array.byteLength) };
}

export function int32(name: string, shape: readonly number[], values: Iterable<number>): TestTensor {
  const array = Int32Array.from(values);
  return { name, datatype: 'INT32', shape, raw: Buffer.from(array.buffer, array.byteOffset, array.byteLength) };
}

export function int64(name: string, shape: readonly number[], values: Iterable<bigint>): TestTensor {
  const array = BigInt64Array.from(values);
  return { name, datatype: 'INT64', shape, raw: Buffer.from(array.buffer, array.byteOffset, array.byteLength) };
}

export function bytes(name: string, shape: readonly number[], values: readonly (string | Buffer)[]): TestTensor {
  const parts = values.flatMap((value) => {
    const content = Buffer.from(value);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(content.length);
    return [length, content];
  });
  return { name, datatype: 'BYTES', shape, raw: Buffer.concat(parts) };
}

export function splitBytes(raw: Buffer): Buffer[] {
  const elements: Buffer[] = [];
  for (let offset = 0; offset < raw.length;) {
    const length = raw.readUInt32LE(offset);
    elements.push(raw.subarray(offset + 4, offset + 4 + length));
    offset += 4 + length;
  }
  return elements;
}

export interface BinaryMessage {
  readonly body: Buffer;
  /** Value for Inference-Header-Content-Length. */
  readonly jsonBytes: number;
}

/** A request in the binary tensor data extension that asks for binary outputs. */
export function binaryRequest(inputs: readonly TestTensor[], extra: Record<string, unknown> = {}): BinaryMessage {
  const json = Buffer.from(
    JSON.stringify({
      parameters: { binary_data_output: true },
      ...extra,
      inputs: inputs.map(({ name, datatype, shape, raw }) => ({ name, datatype, shape, parameters: { binary_data_size: raw.length } })),
    }),
  );
  return { body: Buffer.concat([json, ...inputs.map((input) => input.raw)]), jsonBytes: json.length };
}

interface JsonOutput {
  readonly name: string;
  readonly datatype: string;
  readonly shape: number[];
  readonly data?: unknown[];
  readonly parameters?: { readonly binary_data_size?: number };
}

export interface JsonReply {
  readonly id?: string;
  readonly model_name: string;
  readonly model_version: string;
  readonly outputs: readonly JsonOutput[];
}

/** The outputs of a reply, whichever form they came in; JSON outputs keep their `data`. */
export function readBinaryReply(body: Buffer, jsonBytes: number): { document: JsonReply; outputs: TestTensor[] } {
  const document = JSON.parse(body.subarray(0, jsonBytes).toString('utf8')) as JsonReply;
  let offset = jsonBytes;
  const outputs = document.outputs.map((output) => {
    const size = output.parameters?.binary_data_size ?? 0;
    const raw = body.subarray(offset, offset + size);
    offset += size;
    return { name: output.name, datatype: output.datatype, shape: output.shape, raw };
  });
  if (offset !== body.length) throw new Error(`the reply has ${body.length - offset} bytes after its outputs`);
  return { document, outputs };
}
