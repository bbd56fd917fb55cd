/** The servers of a comparison, found and tried with one and the same request. */
import { OptionsError } from '../../config/load.js';
import { answerTensors, differenceOf, type AnswerTensor } from '../load/answer-tensors.js';
import { binaryRequest } from '../load/binary-request.js';
import { findModel, tryModel, type FoundModel, type HttpRequest } from '../load/http-target.js';
import { isAllJson, jsonRequest } from '../load/json-request.js';
import type { LoadSettings } from '../load/load-settings.js';
import type { LoadTarget } from '../load/load-target.js';
import { sampleTensors, type SampleTensors } from '../load/sample-tensors.js';
import type { CompareOptions } from './compare-options.js';

export interface Contender {
  readonly load: LoadSettings;
  readonly target: LoadTarget;
  /** How its answer differs from that of the first contender; null = it does not, or it is the first. */
  readonly differs: string | null;
}

export interface Contenders {
  readonly ours: Contender;
  readonly others: readonly Contender[];
  /** Why tensors travel as JSON though nobody asked for it; null = they do not. */
  readonly whyJson: string | null;
}

interface Found {
  readonly load: LoadSettings;
  readonly found: FoundModel;
}

/** Throws `OptionsError` when a server or a model is missing, or does not answer the request. */
export async function findContenders(options: CompareOptions): Promise<Contenders> {
  const [ours, ...others] = await Promise.all([options, ...options.against.map((other) => ({ ...options, ...other }))].map(find));
  if (ours === undefined) throw new OptionsError(['there is no server to compare']);
  const sample = sampleFor(ours, others, options);
  if (options.jsonTensors) return { ...(await tryAll(ours, others, jsonRequest(sample))), whyJson: null };
  let whyJson: string;
  try {
    return { ...(await tryAll(ours, others, binaryRequest(sample))), whyJson: null };
  } catch (thrown) {
    if (!(thrown instanceof OptionsError)) throw thrown;
    whyJson = thrown.faults.join('; ');
  }
  return { ...(await tryAll(ours, others, jsonRequest(sample))), whyJson };
}

async function find(load: LoadSettings): Promise<Found> {
  return { load, found: await findModel(load) };
}

/** One for all, from what the first server says of its inputs. */
function sampleFor(ours: Found, others: readonly Found[], options: CompareOptions): SampleTensors {
  const wanted = inputsOf(ours.found);
  const faults = others
    .filter(({ found }) => inputsOf(found) !== wanted)
    .map(
      ({ load, found }) =>
        `${load.url.href}: the model "${load.model}" takes ${inputsOf(found)}; at ${ours.load.url.href} it takes ${wanted}`,
    );
  if (faults.length > 0) throw new OptionsError(faults);
  const sample = sampleTensors(ours.found.inputs, options);
  if ('faults' in sample) throw new OptionsError(sample.faults);
  return sample;
}

/** Names and types; shapes are left to the trial, since servers differ in what they call free. */
function inputsOf({ inputs }: FoundModel): string {
  return inputs
    .map(({ name, datatype }) => `${name} (${datatype})`)
    .sort()
    .join(', ');
}

async function tryAll(ours: Found, others: readonly Found[], request: HttpRequest): Promise<Omit<Contenders, 'whyJson'>> {
  const [first, ...rest] = await Promise.all([tryOne(ours, request), ...others.map((other) => tryOne(other, request))]);
  return {
    ours: { load: ours.load, target: first.target, differs: null },
    others: rest.map(({ load, target, outputs }) => ({ load, target, differs: difference(first.outputs, outputs) })),
  };
}

async function tryOne({ load, found }: Found, request: HttpRequest) {
  const { target, answer } = await tryModel(load.url, found, request);
  const outputs = answerTensors(answer);
  if (outputs === undefined && !isAllJson(request))
    throw new OptionsError([`${load.url.origin}: the answer to binary tensors cannot be read`]);
  return { load, target, outputs };
}

function difference(ours: readonly AnswerTensor[] | undefined, theirs: readonly AnswerTensor[] | undefined): string | null {
  if (ours === undefined || theirs === undefined) return 'its answer or that of the first server has no tensors that can be read';
  return differenceOf(ours, theirs);
}
