/** An ONNX file written by hand that takes ONNX Runtime long to load: a chain of very many nodes. */

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (; value > 0x7f; value = Math.floor(value / 128)) bytes.push((value % 128) | 0x80);
  return [...bytes, value];
}

/** A length-delimited protobuf field. */
function field(number: number, content: string | Buffer): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([Buffer.from([...varint(number * 8 + 2), ...varint(bytes.length)]), bytes]);
}

function whole(number: number, value: number): Buffer {
  return Buffer.from([...varint(number * 8), ...varint(value)]);
}

/** ValueInfoProto: FP32 [1]. */
function vector(name: string): Buffer {
  const shape = field(1, whole(1, 1));
  const tensor = Buffer.concat([whole(1, 1), field(2, shape)]);
  return Buffer.concat([field(1, name), field(2, field(1, tensor))]);
}

/** A chain of `nodes` Sin operators. */
export function chainModel(nodes: number): Buffer {
  const chain = Array.from({ length: nodes }, (_, i) =>
    field(1, Buffer.concat([field(1, i === 0 ? 'x' : `t${i}`), field(2, i === nodes - 1 ? 'y' : `t${i + 1}`), field(4, 'Sin')])),
  );
  const graph = Buffer.concat([...chain, field(2, 'chain'), field(11, vector('x')), field(12, vector('y'))]);
  const IR_VERSION = 8;
  const OPSET = 17;
  return Buffer.concat([whole(1, IR_VERSION), field(7, graph), field(8, Buffer.concat([field(1, ''), whole(2, OPSET)]))]);
}
