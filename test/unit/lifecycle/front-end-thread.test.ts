import { describe, expect, it } from 'vitest';
import type { FrontEndOptions } from '../../../src/bridge/thread-messages.js';
import type { ServerError } from '../../../src/errors.js';
import { FrontEndThread } from '../../../src/lifecycle/front-end-thread.js';

const options: FrontEndOptions = {
  thread: 0,
  ports: ['http'],
  maxRequestBytes: 1,
  maxReceivingBytes: 0,
  maxConcurrentStreams: 1,
  headersTimeoutMs: 1,
  requestTimeoutMs: 1,
  keepAliveTimeoutMs: 1,
  accessLog: false,
  logLevel: 'silent',
  serverVersion: '0',
  tls: null,
};

/** A thread that runs `code`, with `port` to the main thread; `onMessage` handles what it is told. */
function threadOf(code: string, lost: ServerError[] = []): FrontEndThread {
  const source = `import { parentPort as port } from 'node:worker_threads'; ${code}`;
  return new FrontEndThread(new URL(`data:text/javascript,${encodeURIComponent(source)}`), options, (error) => lost.push(error));
}

const LISTENS = `port.postMessage({ type: 'listening' });`;

describe('a front-end thread', () => {
  it('drains when asked and ends when destroyed, without counting as lost', async () => {
    const lost: ServerError[] = [];
    const obey = `port.on('message', ({ type }) => type === 'drain' ? port.postMessage({ type: 'drained' }) : port.close());`;
    const thread = threadOf(LISTENS + obey, lost);
    await thread.listening;
    await thread.drain();
    await thread.destroy();
    await thread.destroy();
    expect(lost).toEqual([]);
  });

  it('passes on why it cannot take connections', async () => {
    const thread = threadOf(`port.postMessage({ type: 'failed', code: 'ERR_INTERNAL', message: 'no port' });`);
    await expect(thread.listening).rejects.toMatchObject({ code: 'ERR_INTERNAL', message: 'no port' });
  });

  it('counts as lost, with the cause, when it ends by itself', async () => {
    const lost: ServerError[] = [];
    const thread = threadOf(`${LISTENS} setTimeout(() => { throw new Error('inside'); }, 50);`, lost);
    await thread.listening;
    await expect.poll(() => lost.length).toBe(1);
    expect(lost[0]).toMatchObject({ code: 'ERR_INTERNAL', cause: { message: 'inside' } });
  });

  it('fails its start when it ends before it listens', async () => {
    await expect(threadOf('').listening).rejects.toMatchObject({ code: 'ERR_INTERNAL' });
  });

  it('is told what TLS is to be ended with from then on', async () => {
    const lost: ServerError[] = [];
    const thread = threadOf(
      `${LISTENS} port.on('message', ({ type, tls }) => { throw new Error(type + ' ' + tls.material.cert); });`,
      lost,
    );
    await thread.listening;
    thread.setTls({ material: { cert: 'new', key: '', clientCa: '' }, ticketKeys: Buffer.from('keys') });
    await expect.poll(() => lost.length).toBe(1);
    expect(lost[0]).toMatchObject({ cause: { message: 'tls new' } });
  });

  it('is terminated when it does not go', async () => {
    const thread = threadOf(`${LISTENS} setInterval(() => {}, 1000);`);
    await thread.listening;
    await thread.destroy();
  });

  it('just ends when it is drained before it listens', async () => {
    await threadOf('setInterval(() => {}, 1000);').drain();
  });
});
