import { pino } from 'pino';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ThreadTls } from '../../../src/bridge/thread-messages.js';
import { ServerError } from '../../../src/errors.js';
import type { FrontEndThread } from '../../../src/lifecycle/front-end-thread.js';
import { FrontEnds } from '../../../src/lifecycle/front-ends.js';

const death = new ServerError('ERR_INTERNAL', 'a front-end thread ended by itself (exit code 1)');

/** A thread that lives, listens and dies when the test says so. */
class FakeThread {
  readonly number: number;
  readonly die: () => void;
  readonly listening: Promise<void>;
  listen: () => void = () => {};
  fail: (error: ServerError) => void = () => {};
  readonly told: string[] = [];

  constructor(number: number, onLost: (error: ServerError) => void) {
    this.number = number;
    this.die = () => onLost(death);
    this.listening = new Promise((resolve, reject) => ([this.listen, this.fail] = [resolve, reject]));
  }

  setTls({ material: { cert } }: ThreadTls): void {
    this.told.push(`setTls ${cert}`);
  }

  drain(): Promise<void> {
    this.told.push('drain');
    return Promise.resolve();
  }

  destroy(): Promise<void> {
    this.told.push('destroy');
    return Promise.resolve();
  }
}

let threads: FakeThread[];
let logged: { readonly msg: string; readonly thread?: number }[];
let givenUp: ServerError[];
let seen: number[];
let nowMs: number;
let frontEnds: FrontEnds;

const thread = (index: number): FakeThread => threads[index] as FakeThread;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function start(count: number): Promise<void> {
  frontEnds = new FrontEnds({
    count,
    startThread: (number, onLost) => {
      const made = new FakeThread(number, onLost);
      threads.push(made);
      return made as unknown as FrontEndThread;
    },
    log: pino({}, { write: (line: string) => void logged.push(JSON.parse(line) as { msg: string }) }),
    onChange: () => seen.push(frontEnds.listening),
    onGivenUp: (error) => givenUp.push(error),
    now: () => nowMs,
  });
  const started = frontEnds.start();
  for (const made of threads) made.listen();
  await started;
}

beforeEach(() => {
  [threads, logged, givenUp, seen, nowMs] = [[], [], [], [], 0];
});

describe('the front ends', () => {
  it('tell every thread what TLS is to be ended with', async () => {
    await start(2);
    frontEnds.setTls({ material: { cert: 'new', key: '', clientCa: '' }, ticketKeys: new Uint8Array(48) });
    expect(threads.map(({ told }) => told)).toEqual([['setTls new'], ['setTls new']]);
  });

  it('have started when every thread takes connections', async () => {
    await start(3);
    expect(frontEnds.listening).toBe(3);
    expect(threads.map(({ number }) => number)).toEqual([0, 1, 2]);
    expect(seen).toEqual([1, 2, 3]);
  });

  it('replace a thread that dies by one of the same number, and are fewer until that one listens', async () => {
    await start(2);
    thread(1).die();
    expect(frontEnds.listening).toBe(1);
    expect(thread(2).number).toBe(1);
    expect(logged).toMatchObject([{ msg: 'a front-end thread died and its connections with it; another one is started', thread: 1 }]);
    thread(2).listen();
    await turn();
    expect(seen).toEqual([1, 2, 1, 2]);
    await frontEnds.drain();
    expect(threads.map(({ told }) => told)).toEqual([['drain'], [], ['drain']]);
  });

  it('replace a replacement that cannot start', async () => {
    await start(1);
    thread(0).die();
    thread(1).fail(death);
    await turn();
    expect(threads).toHaveLength(3);
    expect(givenUp).toEqual([]);
  });

  it('give up at the fifth death within a minute, and name the cause', async () => {
    await start(1);
    for (let deaths = 0; deaths < 5; deaths++) {
      thread(deaths).die();
      nowMs += 14_000;
    }
    expect(threads).toHaveLength(5);
    expect(givenUp).toMatchObject([{ message: '5 front-end threads died within 60 s', cause: death }]);
  });

  it('never give up on deaths that are far apart', async () => {
    await start(1);
    for (let deaths = 0; deaths < 20; deaths++) {
      thread(deaths).die();
      nowMs += 15_000;
    }
    expect(threads).toHaveLength(21);
    expect(givenUp).toEqual([]);
  });

  it('replace nothing while they leave', async () => {
    await start(2);
    await frontEnds.drain();
    thread(0).die();
    await frontEnds.destroy();
    expect(threads.map(({ told }) => told)).toEqual([
      ['drain', 'destroy'],
      ['drain', 'destroy'],
    ]);
  });
});
