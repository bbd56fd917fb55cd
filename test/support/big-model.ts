/** ONNX files written by hand: one that takes long to load, one whose run is a single node that takes long, and one with large weights. */

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

const FLOAT = 1;
const INT64 = 7;

/** ValueInfoProto; null = a dimension that is not known. */
function value(name: string, elementType: number, dims: readonly (number | null)[]): Buffer {
  const shape = Buffer.concat(dims.map((dim) => field(1, dim === null ? '' : whole(1, dim))));
  return Buffer.concat([field(1, name), field(2, field(1, Buffer.concat([whole(1, elementType), field(2, shape)])))]);
}

/** NodeProto. */
function node(operator: string, inputs: readonly string[], output: string): Buffer {
  return Buffer.concat([...inputs.map((input) => field(1, input)), field(2, output), field(4, operator)]);
}

/** TensorProto. */
function tensor(name: string, elementType: number, dims: readonly number[], raw: Buffer): Buffer {
  return Buffer.concat([...dims.map((dim) => whole(1, dim)), whole(2, elementType), field(8, name), field(9, raw)]);
}

/** ModelProto: IR version 8, opset 17. */
function model(name: string, nodes: readonly Buffer[], input: Buffer, output: Buffer, weights: readonly Buffer[] = []): Buffer {
  const values = [...weights.map((one) => field(5, one)), field(11, input), field(12, output)];
  const graph = Buffer.concat([...nodes.map((one) => field(1, one)), field(2, name), ...values]);
  return Buffer.concat([whole(1, 8), field(7, graph), field(8, Buffer.concat([field(1, ''), whole(2, 17)]))]);
}

/** `x` FP32 [1] through a chain of `nodes` Sin operators to `y`: slow to load. */
export function chainModel(nodes: number): Buffer {
  const chain = Array.from({ length: nodes }, (_, i) => node('Sin', [i === 0 ? 'x' : `t${i}`], i === nodes - 1 ? 'y' : `t${i + 1}`));
  return model('chain', chain, value('x', FLOAT, [1]), value('y', FLOAT, [1]));
}

/** `shape` INT64 [2], both n, to `y` FP32 [n, n]: one matrix product of n^3 steps that nothing can interrupt. */
export function productModel(): Buffer {
  const nodes = [node('ConstantOfShape', ['shape'], 'a'), node('MatMul', ['a', 'a'], 'y')];
  return model('product', nodes, value('shape', INT64, [2]), value('y', FLOAT, [null, null]));
}

/** `x` FP32 [-1, side] times weights [side, side], 4 side^2 bytes of them, to `y`. */
export function weightsModel(side: number): Buffer {
  const weights = new Float32Array(side * side);
  for (let i = 0; i < weights.length; i++) weights[i] = (i % 7) - 3;
  const nodes = [node('MatMul', ['x', 'w'], 'y')];
  const tensors = [tensor('w', FLOAT, [side, side], Buffer.from(weights.buffer))];
  return model('weights', nodes, value('x', FLOAT, [null, side]), value('y', FLOAT, [null, side]), tensors);
}
