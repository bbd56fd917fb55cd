import { describe, expect, it } from 'vitest';
import { OptionsError, loadOptions } from '../../../src/config/load.js';
import { loopOptions, threadOptions, threadTls } from '../../../src/lifecycle/front-end-options.js';
import { planFrontEnd, receivingThreads, type FrontEndPlan } from '../../../src/lifecycle/front-end-plan.js';

const FAULT = 'libnghttp2.so.14 is not there';
const options = (...flags: string[]) => loadOptions(flags, {}).options;

function plan(flags: readonly string[], grpcFault?: string, tlsFault?: string): FrontEndPlan {
  return planFrontEnd(options(...flags), { grpc: () => grpcFault, tls: () => tlsFault });
}

const TLS = ['--tls-cert=c', '--tls-key=k'];

describe('the front end', () => {
  it('is native where nothing speaks against it', () => {
    expect(plan(['--front-end-threads=3'])).toEqual({ kind: 'native', loops: 3, threads: 3, reason: '' });
    expect(plan(['--front-end=native', '--front-end-threads=3'])).toEqual({ kind: 'native', loops: 3, threads: 3, reason: '' });
  });

  it('that is native passes on to two threads at least, so that one may die, and to four at most', () => {
    expect(plan(['--front-end-threads=1'])).toMatchObject({ loops: 1, threads: 2 });
    expect(plan(['--front-end-threads=5'])).toMatchObject({ loops: 5, threads: 4 });
  });

  it('is JavaScript where it is asked for, without a look at what else could be', () => {
    const look = (): never => {
      throw new Error('looked');
    };
    expect(planFrontEnd(options('--front-end=js', '--front-end-threads=5', ...TLS), { grpc: look, tls: look })).toEqual({
      kind: 'js',
      loops: 0,
      threads: 5,
      reason: '',
    });
  });

  it('is JavaScript, and says why, where gRPC cannot be served natively', () => {
    expect(plan(['--front-end-threads=3'], FAULT)).toEqual({
      kind: 'js',
      loops: 0,
      threads: 3,
      reason: `cannot serve gRPC here: ${FAULT}`,
    });
  });

  it('is native without nghttp2 where no gRPC is served', () => {
    expect(plan(['--allow-grpc=false'], FAULT)).toMatchObject({ kind: 'native', reason: '' });
  });

  it('is JavaScript, and says why, where TLS is asked for and cannot be ended natively', () => {
    expect(plan(TLS, undefined, FAULT)).toMatchObject({ kind: 'js', reason: `cannot end TLS here: ${FAULT}` });
    expect(plan([], undefined, FAULT)).toMatchObject({ kind: 'native', reason: '' });
    expect(() => plan([...TLS, '--front-end=native'], undefined, FAULT)).toThrow(`--front-end: native cannot end TLS here: ${FAULT}`);
  });

  it('that is asked for and cannot be had is a wrong option', () => {
    const ask = (): unknown => plan(['--front-end=native'], FAULT);
    expect(ask).toThrow(OptionsError);
    expect(ask).toThrow(`--front-end: native cannot serve gRPC here: ${FAULT}`);
  });
});

describe('what the threads of the front end are told', () => {
  const given = options('--front-end-threads=6', '--max-receiving-bytes=1000MiB', '--http-request-timeout-ms=7', '--log-level=warn');
  const native = planFrontEnd(given, { grpc: () => undefined, tls: () => undefined });

  it('shares the bodies that may be received out among all that receive', () => {
    expect(receivingThreads(native)).toBe(10);
    const share = 100 * 1024 ** 2;
    expect(loopOptions(given, native, { logsRefusals: false, tls: undefined }).maxReceivingBytes).toBe(share);
    expect(threadOptions(given, native, 1, undefined).maxReceivingBytes).toBe(share);
  });

  it('has the same limits for both kinds', () => {
    const loop = loopOptions(given, native, { logsRefusals: true, tls: undefined });
    expect(loop).toMatchObject({ loops: 6, logsRequests: false, logsRefusals: true, requestTimeoutMs: 7 });
    const { maxRequestBytes, maxConcurrentStreams, headersTimeoutMs, requestTimeoutMs, keepAliveTimeoutMs } = loop;
    expect(threadOptions(given, native, 1, undefined)).toMatchObject({
      thread: 1,
      ports: ['http', 'grpc'],
      logLevel: 'warn',
      ...{ maxRequestBytes, maxConcurrentStreams, headersTimeoutMs, requestTimeoutMs, keepAliveTimeoutMs },
    });
  });

  it('has TLS ended once, by who takes in the connections', () => {
    const tls = { cert: 'c', key: 'k', clientCa: '' };
    const js = { ...native, kind: 'js' as const };
    expect(loopOptions(given, native, { logsRefusals: false, tls }).tls).toEqual(tls);
    expect(loopOptions(given, native, { logsRefusals: false, tls: undefined })).not.toHaveProperty('tls');
    const told = threadTls(tls);
    expect(told).toEqual({ material: tls, ticketKeys: expect.objectContaining({ length: 48 }) as Buffer });
    expect([native, js].map((one) => threadOptions(given, one, 1, told).tls)).toEqual([null, told]);
    expect(threadOptions(given, js, 1, undefined).tls).toBeNull();
  });
});
