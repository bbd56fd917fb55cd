import { status, type ServiceError } from '@grpc/grpc-js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { GrpcClient } from '../support/clients.js';
import { busyGrpcRequest, busyInputs, BusyModel, untilQueued, type BusyAnswer } from '../support/busy-model.js';
import { modelFolder } from '../support/model-folder.js';
import { ServerProcess } from '../support/server-process.js';

const BUSY = { copyOf: 'test/fixtures/batching_models/busy/1/model.onnx' } as const;
const ONE_ROW = busyInputs(4, [[1]]);
/** Whose tensors are most of its bytes. */
const WIDE_ROW = busyInputs(64, [[1]]);
/** As many bytes of tensors as three of those have, and half of another; and more than one of them is as a message. */
const BYTES_OF_THREE = String(3.5 * WIDE_ROW.reduce((sum, { raw }) => sum + raw.length, 0));

/** A configuration that says when batches start: nothing is refused by prediction. */
const CONFIGURED = 'max_queue_delay_microseconds: 1';

/** A server whose `busy` has this `dynamic_batching` message and these further fields. */
async function serve(
  batching: string,
  more = '',
  flags: readonly string[] = [],
): Promise<{ server: ServerProcess; busy: BusyModel; grpc: GrpcClient }> {
  const config = `max_batch_size: 64\ninstance_group [ { count: 1 } ]\ndynamic_batching { ${batching} }\n${more}`;
  const server = await ServerProcess.start({
    repositories: [modelFolder({ 'busy/config.pbtxt': config, 'busy/1/model.onnx': BUSY })],
    flags,
  });
  const grpc = new GrpcClient(server.grpcAddress);
  onTestFinished(async () => {
    grpc.close();
    await server.stop();
  });
  return { server, busy: new BusyModel(server), grpc };
}

const failure = (call: Promise<unknown>): Promise<ServiceError> =>
  call.then(
    () => Promise.reject(new Error('the call was answered')),
    (error: unknown) => error as ServiceError,
  );

describe('a request that waits while the only lane is busy', () => {
  it('ends at its timeout, over HTTP', async () => {
    const { busy } = await serve(CONFIGURED);
    const release = await busy.occupy();
    const { status, error, ms } = await busy.ask(ONE_ROW, { timeout: 300_000 }).answer;
    await release();
    expect([status, error]).toEqual([503, expect.stringContaining('Request timeout expired')]);
    expect(ms).toBeGreaterThanOrEqual(299);
  });

  it('ends at its timeout, over gRPC', async () => {
    const { busy, grpc } = await serve(CONFIGURED);
    const release = await busy.occupy();
    const started = performance.now();
    const { code, details } = await failure(grpc.infer(busyGrpcRequest(ONE_ROW, { timeout: { int64_param: 300_000 } })));
    const ms = performance.now() - started;
    await release();
    expect([code, details]).toEqual([status.UNAVAILABLE, expect.stringContaining('Request timeout expired')]);
    expect(ms).toBeGreaterThanOrEqual(299);
  });

  it('leaves the queue at the deadline of its call', async () => {
    const { server, busy, grpc } = await serve(CONFIGURED);
    const release = await busy.occupy();
    const called = failure(grpc.infer(busyGrpcRequest(ONE_ROW), { deadline: Date.now() + 400 }));
    await untilQueued(server, 1);
    expect((await called).code).toBe(status.DEADLINE_EXCEEDED);
    await untilQueued(server, 0);
    await release();
  });
});

describe('a full queue', () => {
  it.each([
    ['max_queue_size of the configuration', 'default_queue_policy { max_queue_size: 3 }', [], 'max_queue_size of their queue policy is 3'],
    ['--max-queue-size', '', ['--max-queue-size', '3'], '3 requests are waiting, the limit is 3'],
    ['--max-queue-bytes', '', ['--max-request-bytes', BYTES_OF_THREE, '--max-queue-bytes', BYTES_OF_THREE], 'bytes are waiting'],
  ])('refuses at once by %s, says which limit and when to come back', async (_what, batching, flags, text) => {
    const { server, busy, grpc } = await serve(batching, '', flags);
    const release = await busy.occupy();
    const waiting = Array.from({ length: 3 }, () => busy.ask(WIDE_ROW).answer);
    await untilQueued(server, 3);

    const times: number[] = [];
    for (let i = 0; i < 21; i++) {
      const { status, headers, error, ms } = await busy.ask(WIDE_ROW).answer;
      expect([status, error]).toEqual([503, expect.stringContaining(text)]);
      expect(error).toContain('Exceeds maximum queue size');
      expect(Number(headers['retry-after'])).toBeGreaterThanOrEqual(1);
      expect(Number(headers['retry-after'])).toBeLessThanOrEqual(30);
      times.push(ms);
    }
    // The lower quartile, with a new connection for each: a shared machine stretches some.
    expect(times.sort((a, b) => a - b)[5]).toBeLessThan(5);

    const { code, details, metadata } = await failure(grpc.infer(busyGrpcRequest(WIDE_ROW)));
    expect([code, details]).toEqual([status.UNAVAILABLE, expect.stringContaining(text)]);
    expect(String(metadata.get('grpc-status-details-bin')[0])).toContain('google.rpc.RetryInfo');
    await release();
    expect((await Promise.all(waiting)).map((answer) => answer.status)).toEqual([200, 200, 200]);
  });
});

describe('dynamic_batching', () => {
  it('serves the highest priority first, and the default level in its place', async () => {
    const { server, busy } = await serve('priority_levels: 3 default_priority_level: 2');
    const release = await busy.occupy();
    const order: string[] = [];
    const ask = async (name: string, priority: number): Promise<void> => {
      const { status } = await busy.ask(
        busyInputs(
          4,
          Array.from({ length: 64 }, () => [0]),
        ),
        { priority },
      ).answer;
      order.push(`${name} ${status}`);
    };
    const asked = [];
    for (const [name, priority] of [
      ['low', 3],
      ['default', 0],
      ['high', 1],
      ['middle', 2],
      ['high again', 1],
    ] as const) {
      asked.push(ask(name, priority));
      await untilQueued(server, asked.length);
    }
    await release();
    await Promise.all(asked);
    expect(order).toEqual(['high 200', 'high again 200', 'default 200', 'middle 200', 'low 200']);
  });

  it('holds a batch back for max_queue_delay_microseconds, and no longer', async () => {
    const { busy } = await serve('max_queue_delay_microseconds: 400000');
    const early = busy.ask(ONE_ROW).answer;
    await new Promise((resolve) => setTimeout(resolve, 150));
    const late = busy.ask(ONE_ROW).answer;
    const [first, second] = await Promise.all([early, late]);
    expect(first.ms).toBeGreaterThanOrEqual(390);
    expect(second.ms).toBeLessThan(first.ms);
  });

  it('starts a batch of a preferred size at once', async () => {
    const { busy } = await serve('preferred_batch_size: [ 2 ] max_queue_delay_microseconds: 5000000');
    const answers = await Promise.all([busy.ask(ONE_ROW).answer, busy.ask(ONE_ROW).answer]);
    expect(Math.max(...answers.map(({ ms }) => ms))).toBeLessThan(2500);
  });

  it.each([
    ['a default timeout counts where the request has none', {}, 1000, 60_000],
    ['a shorter timeout of the request counts where it may', { timeout: 100_000 }, 100, 1000],
    ['a longer one does not', { timeout: 60_000_000 }, 1000, 60_000],
  ])('%s', async (_what, parameters, from, before) => {
    const policy = 'default_timeout_microseconds: 1000000 allow_timeout_override: true';
    const { busy } = await serve(`${CONFIGURED} default_queue_policy { ${policy} }`);
    const release = await busy.occupy();
    const answer = await busy.ask(ONE_ROW, parameters).answer;
    await release();
    expect(answer).toMatchObject({ status: 503, error: expect.stringContaining('Request timeout expired') as string });
    expect(answer.ms).toBeGreaterThanOrEqual(from - 1);
    expect(answer.ms).toBeLessThan(before);
  });

  it('lets a request that is only delayed at its timeout run in the end', async () => {
    const { server, busy } = await serve('default_queue_policy { default_timeout_microseconds: 50000 timeout_action: DELAY }');
    const release = await busy.occupy();
    const delayed = busy.ask(ONE_ROW).answer;
    await untilQueued(server, 1);
    await new Promise((resolve) => setTimeout(resolve, 200));
    await release();
    expect((await delayed).status).toBe(200);
  });
});

describe('a deadline that cannot be met', () => {
  const GOAL = 'parameters { key: "latency_goal_ms" value { string_value: "300" } }';
  const REFUSED = { status: 503, error: expect.stringMatching(/^The deadline cannot be met: .* ms remain/) as string };

  it.each([
    ['the latency goal of the model', GOAL, {}],
    ['the timeout of the request', '', { timeout: 300_000 }],
  ])('is refused at once, by %s, and says when to come back', async (_what, more, parameters) => {
    const { busy } = await serve('', more);
    // A lane that has run for much longer than it ever did is not expected to be free soon.
    const release = await busy.occupy();
    await new Promise((resolve) => setTimeout(resolve, 600));
    const answers: BusyAnswer[] = [];
    for (let i = 0; i < 5; i++) answers.push(await busy.ask(ONE_ROW, parameters).answer);
    await release();
    for (const answer of answers) {
      expect(answer).toMatchObject(REFUSED);
      expect(answer.headers['retry-after']).toMatch(/^[1-9]\d*$/);
    }
    expect(Math.min(...answers.map(({ ms }) => ms))).toBeLessThan(5);
  });

  it('refuses nothing while nothing is ahead, however long the last run took', async () => {
    const { busy } = await serve('', GOAL);
    for (let i = 0; i < 3; i++) expect((await busy.ask(busyInputs(4, [[1]], 10_000n)).answer).status).toBe(200);
    expect((await busy.ask(ONE_ROW).answer).status).toBe(200);
  });
});
