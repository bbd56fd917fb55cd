/** Input data for measurements: binary tensors of a model's inputs. */
import { DATA_TYPE_NAMES, type DataTypeName } from '../../bridge/data-type.js';

export interface TensorMetadata {
  readonly name: string;
  readonly datatype: string;
  /** -1 = free. */
  readonly shape: readonly number[];
}

export interface SampleChoices {
  readonly batchSize: number;
  /** Whole shapes, by name; a first dimension of -1 stands for `batchSize`. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly data: 'random' | 'zeros';
  readonly seed: number;
}

export interface SampleTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  /** Little-endian; texts each with their length before them. */
  readonly data: Uint8Array;
}

export interface SampleTensors {
  readonly tensors: readonly SampleTensor[];
  /** By name. */
  readonly shapes: Readonly<Record<string, readonly number[]>>;
}

const MAX_BODY_BYTES = 2 ** 30;
/** In place of the first dimension of a given shape: the rows of the request. */
export const ROWS = -1;
const SAMPLE_TEXT = new TextEncoder().encode('penstock');
const TEXT_ELEMENT_BYTES = 4 + SAMPLE_TEXT.length;

interface Element {
  readonly bytes: number;
  /** `uniform` is in [0, 1). */
  write(view: DataView, at: number, uniform: number): void;
}

const digit = (uniform: number): number => Math.floor(uniform * 10);
const integer = (bytes: number): Element => ({ bytes, write: (view, at, uniform) => view.setUint8(at, digit(uniform)) });

/** Little-endian, as the protocol has it; the other bytes of small integers stay zero. */
const ELEMENTS: Readonly<Partial<Record<DataTypeName, Element>>> = {
  BOOL: { bytes: 1, write: (view, at, uniform) => view.setUint8(at, uniform < 0.5 ? 0 : 1) },
  UINT8: integer(1),
  UINT16: integer(2),
  UINT32: integer(4),
  UINT64: integer(8),
  INT8: integer(1),
  INT16: integer(2),
  INT32: integer(4),
  INT64: integer(8),
  // The exponent of 0.5 to 1 with any fraction.
  FP16: { bytes: 2, write: (view, at, uniform) => view.setUint16(at, 0x3800 | Math.floor(uniform * 2 ** 10), true) },
  BF16: { bytes: 2, write: (view, at, uniform) => view.setUint16(at, 0x3f00 | Math.floor(uniform * 2 ** 7), true) },
  FP32: { bytes: 4, write: (view, at, uniform) => view.setFloat32(at, 0.5 + uniform / 2, true) },
  FP64: { bytes: 8, write: (view, at, uniform) => view.setFloat64(at, 0.5 + uniform / 2, true) },
};

/** Either the tensors, or everything that keeps them from being made, one sentence each. */
export function sampleTensors(inputs: readonly TensorMetadata[], choices: SampleChoices): SampleTensors | { readonly faults: string[] } {
  const faults: string[] = [];
  for (const name of choices.shapes.keys()) {
    if (!inputs.some((input) => input.name === name)) {
      faults.push(`--shape: the model has no input "${name}"; it has ${inputs.map((input) => input.name).join(', ')}`);
    }
  }
  const sized = inputs.map((input) => {
    const shape = shapeOf(input, choices, faults);
    const bytes = shape.reduce((product, dimension) => product * dimension, elementBytes(input, faults));
    return { input, shape, bytes };
  });
  const total = sized.reduce((sum, { bytes }) => sum + bytes, 0);
  if (!(total <= MAX_BODY_BYTES)) faults.push(`a request would have ${total} bytes; at most ${MAX_BODY_BYTES} are sent`);
  if (faults.length > 0) return { faults };

  const uniform = uniformNumbers(choices.seed);
  const tensors = sized.map(({ input: { name, datatype }, shape, bytes }) => {
    const data = new Uint8Array(bytes);
    fill(data, datatype, choices.data === 'zeros' ? undefined : uniform);
    return { name, datatype, shape, data };
  });
  return { tensors, shapes: Object.fromEntries(tensors.map(({ name, shape }) => [name, shape])) };
}

function shapeOf(input: TensorMetadata, { batchSize, shapes }: SampleChoices, faults: string[]): readonly number[] {
  const wanted = shapes.get(input.name);
  if (wanted !== undefined) {
    const given = wanted[0] === ROWS ? [batchSize, ...wanted.slice(1)] : wanted;
    const fits = given.length === input.shape.length && input.shape.every((dimension, i) => dimension === -1 || dimension === given[i]);
    if (!fits) faults.push(`--shape: [${given.join(',')}] is not a shape of "${input.name}", which takes [${input.shape.join(',')}]`);
    // At 1, the shape says how many rows there are.
    else if (batchSize > 1 && input.shape[0] === -1 && given[0] !== batchSize) faults.push(contradiction(input.name, given, batchSize));
    return given;
  }
  const [first, ...others] = input.shape;
  if (others.includes(-1)) {
    faults.push(`the input "${input.name}" takes [${input.shape.join(',')}]: choose a shape with --shape ${input.name}:D,D,...`);
  }
  if (batchSize > 1 && first !== -1) {
    faults.push(`--batch-size: the input "${input.name}" takes [${input.shape.join(',')}], whose first dimension is not free`);
  }
  return first === -1 ? [batchSize, ...others] : input.shape;
}

/** For users who gave both. */
export function contradiction(input: string, shape: readonly number[], batchSize: number): string {
  return `--shape ${input}:${shape.join(',')} has ${shape[0]} ${shape[0] === 1 ? 'row' : 'rows'}, and --batch-size is ${batchSize}: give both the same number`;
}

function elementBytes({ name, datatype }: TensorMetadata, faults: string[]): number {
  if (datatype === 'BYTES') return TEXT_ELEMENT_BYTES;
  const element = elementOf(datatype);
  if (element === undefined) faults.push(`the input "${name}" has the data type ${datatype}, which is not known here`);
  return element?.bytes ?? 0;
}

function elementOf(datatype: string): Element | undefined {
  const name = DATA_TYPE_NAMES.find((known) => known === datatype);
  return name === undefined ? undefined : ELEMENTS[name];
}

/** `uniform` undefined: zeros. */
function fill(bytes: Uint8Array, datatype: string, uniform: (() => number) | undefined): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (datatype === 'BYTES') {
    for (let at = 0; at < bytes.length; at += TEXT_ELEMENT_BYTES) {
      view.setUint32(at, SAMPLE_TEXT.length, true);
      bytes.set(SAMPLE_TEXT, at + 4);
    }
    return;
  }
  const element = elementOf(datatype);
  if (element === undefined || uniform === undefined) return;
  for (let at = 0; at < bytes.length; at += element.bytes) element.write(view, at, uniform());
}

/** Numbers in [0, 1) that are the same for the same seed: a Weyl sequence, mixed as MurmurHash3 ends. */
export function uniformNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
  };
}
