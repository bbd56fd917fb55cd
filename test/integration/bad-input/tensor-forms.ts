/** One bad tensor, sent in every form that can express it: JSON data, binary data behind JSON, raw gRPC contents, typed gRPC contents. */
import { inferPath, INVALID, type BadCase, type Row } from './bad-case.js';
import { delimited, Field, frame, grpcInput, grpcRequest } from './protobuf-wire.js';

export type Form = 'json' | 'binary' | 'raw' | 'contents';

export interface BadTensor {
  readonly row: Row;
  readonly name: string;
  readonly model?: string;
  readonly input?: string;
  readonly datatype?: string;
  /** Dims beyond int64 go only where JSON carries them. */
  readonly shape?: readonly (bigint | number)[];
  /** Text of the JSON array of elements; absent = not sent as JSON data. */
  readonly data?: string;
  /** V2 raw bytes; absent = sent neither behind JSON nor raw over gRPC. */
  readonly bytes?: Buffer;
  /** Fields of InferTensorContents; absent = not sent so. */
  readonly contents?: Buffer;
  /** One for every form, or one for each; a form without one is left out. */
  readonly message: RegExp | Readonly<Partial<Record<Form, RegExp>>>;
  readonly status?: { readonly http: number; readonly grpc: number };
}

const INT64_MAX = 2n ** 63n - 1n;

export function inAllForms(tensor: BadTensor): readonly BadCase[] {
  const {
    row,
    model = 'identity_fp32',
    input = 'INPUT0',
    datatype = 'FP32',
    shape = [1, 2],
    data,
    bytes,
    contents,
    status = INVALID,
  } = tensor;
  const cases: BadCase[] = [];
  const add = (form: Form, send: () => BadCase['send'], number: number): void => {
    const message = tensor.message instanceof RegExp ? tensor.message : tensor.message[form];
    if (message !== undefined) cases.push({ row, name: `${tensor.name} (${form})`, send: send(), status: number, message });
  };
  const json = (rest: string): string =>
    `{"inputs":[{"name":${JSON.stringify(input)},"shape":[${shape.join(',')}],"datatype":${JSON.stringify(datatype)},${rest}}]}`;
  const path = inferPath(model);

  if (data !== undefined) add('json', () => ({ via: 'http', path, body: Buffer.from(json(`"data":${data}`)) }), status.http);
  if (bytes !== undefined) {
    const head = Buffer.from(json(`"parameters":{"binary_data_size":${bytes.length}}`));
    const headers = [['Inference-Header-Content-Length', String(head.length)]] as const;
    add('binary', () => ({ via: 'http', path, headers, body: Buffer.concat([head, bytes]) }), status.http);
  }
  if (shape.some((dim) => BigInt(dim) > INT64_MAX)) return cases;
  const grpc = (more: readonly Buffer[], raw: readonly Buffer[]): BadCase['send'] => ({
    via: 'grpc',
    body: frame(grpcRequest({ model, inputs: [grpcInput({ name: input, datatype, shape, more })], raw })),
  });
  if (bytes !== undefined) add('raw', () => grpc([], [bytes]), status.grpc);
  if (contents !== undefined) add('contents', () => grpc([delimited(Field.contents, contents)], []), status.grpc);
  return cases;
}
