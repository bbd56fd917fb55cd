import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GrpcClient } from '../support/clients.js';
import { batchesOf, batchingModels, busyGrpcRequest, busyInputs, BusyModel, untilQueued } from '../support/busy-model.js';
import { logLines } from '../support/log-lines.js';
import { MetricsPage } from '../support/prometheus.js';
import { fixtureModels, ServerProcess } from '../support/server-process.js';
import { int64, type TestTensor } from '../support/tensors.js';

let server: ServerProcess;
let busy: BusyModel;
let grpc: GrpcClient;

beforeAll(async () => {
  server = await ServerProcess.start({ repositories: [batchingModels, fixtureModels], flags: ['--front-end-threads', '2'] });
  busy = new BusyModel(server);
  grpc = new GrpcClient(server.grpcAddress);
});

afterAll(async () => {
  grpc.close();
  await server.stop();
});

/** The row counts of the runs that `work` causes. */
async function batchesDuring(work: () => Promise<unknown>, model = 'busy'): Promise<number[]> {
  const before = await batchesOf(server, model);
  await work();
  const after = await batchesOf(server, model);
  const added = [...after.sizes].flatMap(([size, count]) => Array<number>(count - (before.sizes.get(size) ?? 0)).fill(size));
  expect(added).toHaveLength(after.runs - before.runs);
  return added.sort((a, b) => a - b);
}

describe('requests that wait while the lane is busy', () => {
  it('share one run, of however many rows each is and over whichever protocol it came', async () => {
    const release = await busy.occupy();
    let answers: unknown[] = [];
    const batches = await batchesDuring(async () => {
      const asked = [[[1, 2, 3, 4]], [[5, 6], [7]], [[8], [9], [10, 11, 12, 13]]].map((rows) => busy.ask(busyInputs(4, rows)).answer);
      const called = grpc.infer(busyGrpcRequest(busyInputs(4, [[14], [15, 16]])));
      await untilQueued(server, 4);
      await release();
      answers = [
        ...(await Promise.all(asked)).map(({ rows }) => rows),
        (await called).raw_output_contents.map((raw) => raw.readFloatLE(0)),
      ];
    });
    expect(batches).toEqual([8]);
    expect(answers).toEqual([
      [[1, 2, 3, 4]],
      [[5, 6, 0, 0], [7, 0, 0, 0]], // prettier-ignore
      [[8, 0, 0, 0], [9, 0, 0, 0], [10, 11, 12, 13]], // prettier-ignore
      [14, expect.anything()],
    ]);
  });

  it('share it across front-end threads', async () => {
    const release = await busy.occupy();
    const batches = await batchesDuring(async () => {
      const asked = Array.from({ length: 8 }, (_, i) => busy.ask(busyInputs(4, [[i]])).answer);
      await untilQueued(server, 8);
      const page = await MetricsPage.of(server.managementUrl);
      const connections = page.all('penstock_connections', { protocol: 'http' }).map(({ value }) => value);
      expect(connections).toHaveLength(2);
      expect(Math.min(...connections)).toBeGreaterThanOrEqual(4);
      await release();
      expect((await Promise.all(asked)).map(({ rows }) => rows[0]?.[0])).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    });
    expect(batches).toEqual([8]);
  });

  it('run with their like: another row length is another batch', async () => {
    const release = await busy.occupy();
    const batches = await batchesDuring(async () => {
      const asked = [4, 5, 4, 5, 5].map((columns, i) => busy.ask(busyInputs(columns, [[i]])).answer);
      await untilQueued(server, 5);
      await release();
      expect((await Promise.all(asked)).map(({ rows }) => rows[0]?.length)).toEqual([4, 5, 4, 5, 5]);
    });
    expect(batches).toEqual([2, 3]);
  });

  it('never make a batch beyond max_batch_size', async () => {
    const release = await busy.occupy();
    const rows = Array.from({ length: 30 }, (_, i) => [i]);
    const batches = await batchesDuring(async () => {
      const asked = [rows, rows, rows, [[7]]].map((some) => busy.ask(busyInputs(4, some)).answer);
      await untilQueued(server, 4);
      await release();
      expect((await Promise.all(asked)).map((answer) => answer.rows.length)).toEqual([30, 30, 30, 1]);
    });
    expect(batches.reduce((sum, size) => sum + size)).toBe(91);
    expect(Math.max(...batches)).toBeLessThanOrEqual(64);
    expect(batches).toHaveLength(2);
  });

  it('are not run when their client has left, and those who stay get their rows all the same', async () => {
    const release = await busy.occupy();
    const batches = await batchesDuring(async () => {
      const asked = Array.from({ length: 200 }, (_, i) => busy.ask(busyInputs(4, [[i]])));
      await untilQueued(server, 200);
      for (const [i, one] of asked.entries()) if (i % 2 === 1) one.leave();
      await untilQueued(server, 100);
      await release();
      const stayed = asked.filter((_, i) => i % 2 === 0).map(({ answer }) => answer);
      expect((await Promise.all(stayed)).map(({ rows }) => rows[0]?.[0])).toEqual(stayed.map((_, i) => 2 * i));
    });
    expect(batches.reduce((sum, size) => sum + size)).toBe(100);
  });
});

describe('a batch that runs', () => {
  it('is stopped when every client in it has left, over either protocol', async () => {
    const release = await busy.occupy();
    const slow = busyInputs(4, [[1]], 10_000_000n);
    const overHttp = busy.ask(slow);
    const overGrpc = grpc.infer(busyGrpcRequest(slow), { deadline: Date.now() + 500 });
    await untilQueued(server, 2);
    await release();
    await untilQueued(server, 0);
    overHttp.leave();
    await expect(overGrpc).rejects.toMatchObject({ code: 4 });
    const { status, ms } = await busy.ask(busyInputs(4, [[1]])).answer;
    expect(status).toBe(200);
    expect(ms).toBeLessThan(5000);
  });

  it('goes on for those who stay', async () => {
    const release = await busy.occupy();
    const leaving = busy.ask(busyInputs(4, [[1]], 2000n));
    const staying = busy.ask(busyInputs(4, [[2]], 2000n));
    await untilQueued(server, 2);
    await release();
    await untilQueued(server, 0);
    leaving.leave();
    expect(await staying.answer).toMatchObject({ status: 200, rows: [[2, 0, 0, 0]] });
  });

  it('fails for the request at fault alone', async () => {
    // Index 9 makes the whole run fail. Under load the good and the bad ones meet in batches; nobody else may notice.
    const ask = (index: bigint): ReturnType<BusyModel['ask']> => busy.ask([int64('INPUT0', [1, 1], [index])], {}, 'fails_at_run');
    const indices = Array.from({ length: 400 }, (_, i) => (i % 10 === 3 ? 9n : BigInt(i % 4)));
    const answers = await Promise.all(indices.map((index) => ask(index).answer));
    expect(answers.map(({ status }) => status)).toEqual(indices.map((index) => (index === 9n ? 500 : 200)));
    const page = await MetricsPage.of(server.managementUrl);
    expect(page.value('nv_inference_exec_count', { model: 'fails_at_run' })).toBeLessThan(400);
  });
});

describe('bytes', () => {
  const ROWS: readonly TestTensor[] = busyInputs(
    4096,
    Array.from({ length: 4 }, (_, row) => Array.from({ length: 4096 }, (_, i) => row + i / 4096)),
  );
  const page = (): Promise<MetricsPage> => MetricsPage.of(server.managementUrl);

  /** How often a byte was copied, by direction. */
  async function copiesDuring(work: () => Promise<unknown>): Promise<{ input: number; output: number }> {
    const counters = async (): Promise<number[]> => {
      const now = await page();
      const value = (name: string, labels = {}): number => now.value(`penstock_tensor_bytes_${name}_total`, { model: 'busy', ...labels });
      return [value('received'), value('copied', { direction: 'input' }), value('handed_out'), value('copied', { direction: 'output' })];
    };
    const before = await counters();
    await work();
    const [received = 0, copiedIn = 0, handedOut = 0, copiedOut = 0] = (await counters()).map((value, i) => value - (before[i] ?? 0));
    expect(received).toBe(8 * ROWS.reduce((sum, { raw }) => sum + raw.length, 0));
    return { input: copiedIn / received, output: copiedOut / handedOut };
  }

  it('are copied once on their way in over HTTP, and not on their way out', async () => {
    const copies = await copiesDuring(() => Promise.all(Array.from({ length: 8 }, () => busy.ask(ROWS).answer)));
    expect(copies.input).toBeLessThanOrEqual(1.01);
    expect(copies.output).toBeLessThanOrEqual(0.01);
  });

  it('are copied once on their way in over gRPC, and twice where grpc-js joins a message first', async () => {
    const isNative = logLines(server).some(({ front_end: kind }) => kind === 'native');
    const copies = await copiesDuring(() => Promise.all(Array.from({ length: 8 }, () => grpc.infer(busyGrpcRequest(ROWS)))));
    expect(copies.input).toBeGreaterThan(isNative ? 0.99 : 1.01);
    expect(copies.input).toBeLessThanOrEqual(isNative ? 1.01 : 2.01);
  });
});
