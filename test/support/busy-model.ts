/** The fixture `busy`: one lane, whose batches run as long as their busiest row says, so that tests decide what waits and for how long. */
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GrpcInferRequest } from './clients.js';
import { answerOf } from './protocols.js';
import { MetricsPage } from './prometheus.js';
import { repositoryRoot, type ServerProcess } from './server-process.js';
import { binaryRequest, fp32, int64, type TestTensor } from './tensors.js';

export const batchingModels = join(repositoryRoot, 'test/fixtures/batching_models');

/** Turns of about 0.05 ms that no test waits for. */
const ENDLESS = 10_000_000n;

/** One row after the other, `columns` numbers each; `turns` is what the batch that they join will take at least. */
export function busyInputs(columns: number, rows: readonly number[][], turns = 0n): TestTensor[] {
  const values = rows.flatMap((row) => [...row, ...Array<number>(columns - row.length).fill(0)]);
  return [fp32('x', [rows.length, columns], values), int64('turns', [rows.length, 1], Array<bigint>(rows.length).fill(turns))];
}

export interface BusyAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Of `y`; empty unless the status is 200. */
  readonly rows: readonly number[][];
  /** Why not. */
  readonly error: string;
  /** Milliseconds from the request to the answer. */
  readonly ms: number;
}

/** A request on a connection of its own. */
export interface Asked {
  /** Rejects after `leave`. */
  readonly answer: Promise<BusyAnswer>;
  /** Closes the connection. */
  leave(): void;
}

export class BusyModel {
  readonly #server: ServerProcess;

  constructor(server: ServerProcess) {
    this.#server = server;
  }

  ask(inputs: readonly TestTensor[], parameters: Record<string, unknown> = {}, model = 'busy'): Asked {
    const { body, jsonBytes } = binaryRequest(inputs, { parameters: { binary_data_output: true, ...parameters } });
    const headers = { 'inference-header-content-length': jsonBytes, 'content-length': body.length };
    const started = performance.now();
    const request = httpRequest(`${this.#server.httpUrl}/v2/models/${model}/infer`, { method: 'POST', headers, agent: false });
    const answer = new Promise<BusyAnswer>((resolve, reject) => {
      request.on('error', reject);
      request.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('error', reject).on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const ms = performance.now() - started;
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            ms,
            ...contentOf(Buffer.concat(chunks), response.headers),
          });
        });
      });
    });
    answer.catch(() => {}); // Whoever leaves does not wait.
    request.end(body);
    return { answer, leave: () => void request.destroy() };
  }

  /** Occupies the lane until the result is called. */
  async occupy(columns = 4, model = 'busy'): Promise<() => Promise<void>> {
    const endless = this.ask(busyInputs(columns, [[0]], ENDLESS), {}, model);
    await untilQueued(this.#server, 0, model);
    await untilRunning(this.#server);
    return async () => {
      endless.leave();
      await endless.answer.catch(() => {});
    };
  }
}

export function busyGrpcRequest(inputs: readonly TestTensor[], parameters: GrpcInferRequest['parameters'] = {}): GrpcInferRequest {
  return {
    model_name: 'busy',
    parameters,
    inputs: inputs.map(({ name, datatype, shape }) => ({ name, datatype, shape: [...shape] })),
    raw_input_contents: inputs.map(({ raw }) => raw),
  };
}

/** Waits until exactly so many requests wait for a run. */
export async function untilQueued(server: ServerProcess, count: number, model = 'busy'): Promise<void> {
  await until(`${count} requests wait`, async () => (await queueLength(server, model)) === count);
}

async function queueLength(server: ServerProcess, model: string): Promise<number> {
  return (await MetricsPage.of(server.managementUrl)).value('nv_inference_pending_request_count', { model });
}

async function untilRunning(server: ServerProcess): Promise<void> {
  await until('a request runs', async () => (await MetricsPage.of(server.managementUrl)).value('penstock_in_flight_requests') > 0);
}

async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`it has not come to pass within 10 s that ${what}`);
    await sleep(5);
  }
}

function contentOf(body: Buffer, headers: IncomingHttpHeaders): { rows: number[][]; error: string } {
  const jsonBytes = headers['inference-header-content-length'];
  if (jsonBytes === undefined) return { rows: [], error: (JSON.parse(String(body)) as { error: string }).error };
  const y = answerOf(body, Number(jsonBytes)).outputs.find(({ name }) => name === 'y');
  if (y === undefined) return { rows: [], error: 'the answer has no y' };
  const [count = 0, columns = 0] = y.shape;
  const values = Array.from({ length: count * columns }, (_, i) => y.raw.readFloatLE(4 * i));
  return { rows: Array.from({ length: count }, (_, row) => values.slice(row * columns, (row + 1) * columns)), error: '' };
}

/** Runs of the model so far, and how many had how many rows. */
export async function batchesOf(
  server: ServerProcess,
  model = 'busy',
): Promise<{ readonly runs: number; readonly sizes: ReadonlyMap<number, number> }> {
  const answer = await fetch(`${server.httpUrl}/v2/models/${model}/stats`);
  const {
    model_stats: [statistics],
  } = (await answer.json()) as {
    model_stats: [{ execution_count: number; batch_stats: { batch_size: number; compute_infer: { count: number } }[] }];
  };
  return {
    runs: statistics.execution_count,
    sizes: new Map(statistics.batch_stats.map(({ batch_size, compute_infer }) => [batch_size, compute_infer.count])),
  };
}
