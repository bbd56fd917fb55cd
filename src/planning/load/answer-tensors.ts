/** The tensors of an inference answer, in JSON or binary, and whether two answers say the same. */
import type { HttpAnswer } from './http-target.js';
import { tensorValues } from './tensor-values.js';

export interface AnswerTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly values: readonly (number | string)[];
}

/** Servers add in different orders, and a GPU rounds products of its own: what floats of one model may differ by. */
const ABSOLUTE = 1e-4;
const RELATIVE = 1e-3;

/** Undefined: it is no answer of the protocol. */
export function answerTensors({ body, jsonBytes }: HttpAnswer): readonly AnswerTensor[] | undefined {
  const document = parse(body.subarray(0, jsonBytes));
  const outputs = document?.outputs;
  if (!Array.isArray(outputs)) return undefined;
  const tensors: AnswerTensor[] = [];
  let at = jsonBytes;
  for (const output of outputs as unknown[]) {
    const { name, datatype, shape, data, parameters } = (output ?? {}) as Readonly<Record<string, unknown>>;
    if (typeof name !== 'string' || typeof datatype !== 'string' || !Array.isArray(shape)) return undefined;
    let values: (number | string)[] | undefined;
    if (Array.isArray(data)) {
      values = data.flat(Infinity).map((value) => (typeof value === 'string' ? value : Number(value)));
    } else {
      const size = Number((parameters as Readonly<Record<string, unknown>> | undefined)?.['binary_data_size']);
      if (!(size <= body.length - at)) return undefined;
      values = tensorValues({ datatype, data: body.subarray(at, at + size) });
      at += size;
    }
    if (values === undefined) return undefined;
    tensors.push({ name, datatype, shape: shape.map(Number), values });
  }
  return tensors;
}

/** The first difference as a sentence; null = there is none. Outputs may come in any order. */
export function differenceOf(expected: readonly AnswerTensor[], found: readonly AnswerTensor[]): string | null {
  const names = (tensors: readonly AnswerTensor[]): string => tensors.map(({ name }) => name).sort().join(', '); // prettier-ignore
  if (names(expected) !== names(found)) return `it has the outputs ${names(found)} instead of ${names(expected)}`;
  for (const wanted of expected) {
    const given = found.find(({ name }) => name === wanted.name);
    if (given === undefined) continue;
    const [shape, others] = [wanted.shape.join(','), given.shape.join(',')];
    if (shape !== others || wanted.datatype !== given.datatype) {
      return `its output "${wanted.name}" is ${given.datatype}[${others}] instead of ${wanted.datatype}[${shape}]`;
    }
    if (wanted.values.length !== given.values.length) {
      return `its output "${wanted.name}" has ${given.values.length} values instead of ${wanted.values.length}`;
    }
    const at = wanted.values.findIndex((value, i) => !isSame(value, given.values[i]));
    if (at >= 0) return `its output "${wanted.name}" has ${given.values[at]} instead of ${wanted.values[at]} at ${at}`;
  }
  return null;
}

function isSame(wanted: number | string, given: number | string | undefined): boolean {
  if (Object.is(wanted, given)) return true;
  if (typeof wanted === 'string' || typeof given !== 'number') return false;
  return Math.abs(wanted - given) <= ABSOLUTE + RELATIVE * Math.abs(wanted);
}

function parse(json: Uint8Array): { readonly outputs?: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(json));
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
