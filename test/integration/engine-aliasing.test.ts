import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addon } from '../../src/bridge/addon.js';
import { batchingModels, busyInputs } from '../support/busy-model.js';
import { batchingOf, catalogModel, onCpu, startEngine, TestSink, type TestCompletion } from '../support/engine.js';
import { answerOf } from '../support/protocols.js';
import { binaryRequest, type BinaryMessage } from '../support/tensors.js';

const COLUMNS = 2048;
let sink: TestSink;

const queued = (): number => addon.statistics('busy', '')[0]?.queueLength ?? -1;
const row = (value: number, turns = 0n): BinaryMessage => binaryRequest(busyInputs(COLUMNS, [Array<number>(COLUMNS).fill(value)], turns));

beforeAll(async () => {
  startEngine();
  const session = await addon.openSession(onCpu(join(batchingModels, 'busy/1/model.onnx')));
  const { inputs, outputs } = session.signature();
  const tensors = {
    inputs,
    outputs,
    maxBatchSize: 64,
    batching: batchingOf({ merge: 'always' }),
    paddedInputs: [],
    cutOutputs: [],
    conversions: [],
  };
  const { handle } = await addon.createVersion(session, { modelName: 'busy', version: 1, lanes: 1, lanesIfFaster: false, ...tensors });
  addon.publishCatalog([catalogModel('busy', handle)]);
  sink = new TestSink();
});

afterAll(() => addon.stopEngine());

/** Occupies the only lane; the result lets it go. */
async function pauseLane(): Promise<() => void> {
  const { token } = sink.submit('busy', row(0, 10_000_000n));
  while (queued() !== 0) await new Promise((resolve) => setTimeout(resolve, 1));
  return () => sink.native.cancel(token);
}

function floatsOf({ head, tails, ranges }: TestCompletion): number[] {
  const body = Buffer.concat([head ?? Buffer.alloc(0), ...tails]);
  const y = answerOf(body, head?.length ?? 0).outputs.find(({ name }) => name === 'y')?.raw ?? Buffer.alloc(0);
  const values = Array.from({ length: y.length / 4 }, (_, i) => y.readFloatLE(4 * i));
  sink.native.release(ranges);
  return values;
}

describe('the bytes of a request', () => {
  it('stay where they were received until their batch is gathered: what changes there meanwhile is what the model sees', async () => {
    const release = await pauseLane();
    const { body, jsonBytes } = row(1);
    const changed = sink.submit('busy', { body, jsonBytes });
    const untouched = sink.submit('busy', row(3));
    const at = body.length - busyInputs(COLUMNS, [[0]]).reduce((sum, { raw }) => sum + raw.length, 0);
    body.writeFloatLE(2, at);
    body.writeFloatLE(2, at + 4 * (COLUMNS - 1));
    release();

    const values = floatsOf(await changed.done);
    expect(values[0]).toBe(2);
    expect(values.slice(1, -1).every((value) => value === 1)).toBe(true);
    expect(values[COLUMNS - 1]).toBe(2);
    expect(new Set(floatsOf(await untouched.done))).toEqual(new Set([3]));
  });

  it('are in nobody else’s answer, though two answers are ranges of one output', async () => {
    const release = await pauseLane();
    const before = addon.statistics('busy', '')[0]?.executionCount ?? 0;
    const asked = [4, 5, 6].map((value) => sink.submit('busy', row(value)));
    release();
    const completions = await Promise.all(asked.map(({ done }) => done));
    expect((addon.statistics('busy', '')[0]?.executionCount ?? 0) - before).toBe(1);
    const [first] = completions[0]?.tails ?? [];
    // An answer in JavaScript's hands is a window on the common block: writing beyond its own rows must be impossible.
    expect(first?.buffer.byteLength).toBe(first?.length);
    expect(completions.map((completion) => [...new Set(floatsOf(completion))])).toEqual([[4], [5], [6]]);
  });
});
