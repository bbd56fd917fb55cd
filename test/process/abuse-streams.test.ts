/** Clients of gRPC that ask and ask on one stream, and take none of the answers: what waits for them is bounded. */
import { connect } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { frame as messageFrame } from '../support/raw-grpc.js';
import { ServerProcess } from '../support/server-process.js';
import { SteadyClient } from '../support/steady-client.js';

const MIB = 2 ** 20;
/** Twice the window of a stream, which is what waits natively. A server that reads on while nothing is taken has no limit. */
const MOST_TAKEN_BYTES = 2 * MIB;
const SENT_BYTES = 4 * MIB;
/** A server that has taken nothing for so long takes nothing. */
const STALLED_MS = 3000;

const SYMBOL = Buffer.from('inference.GRPCInferenceService');
/** ServerReflectionRequest { file_containing_symbol }. */
const QUESTION = messageFrame(Buffer.concat([Buffer.from([0x22, SYMBOL.length]), SYMBOL]));
const QUESTIONS = Buffer.concat(Array<Buffer>(400).fill(QUESTION));

it.each(['native', 'js'].flatMap((kind) => ['v1', 'v1alpha'].map((version) => [kind, version] as const)))(
  '%s reads no more questions of a client of reflection %s that takes no answers',
  async (kind, version) => {
    const server = await ServerProcess.start({ flags: ['--front-end', kind, '--front-end-threads', '1'] });
    onTestFinished(async () => void (await server.stop()));
    const steady = new SteadyClient(server);
    onTestFinished(() => steady.close());
    const session = connect(`http://${server.grpcAddress}`, { settings: { initialWindowSize: 0 } }).on('error', () => {});
    onTestFinished(() => session.destroy());
    const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
    const call = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' });
    call.on('error', () => {});
    let taken = 0;
    const takes = (): Promise<boolean> =>
      Promise.race([new Promise<boolean>((resolve) => call.write(QUESTIONS, () => resolve(true))), sleep(STALLED_MS, false)]);
    while (taken < SENT_BYTES && (await takes())) taken += QUESTIONS.length;
    expect(taken).toBeGreaterThan(0);
    expect(taken).toBeLessThan(MOST_TAKEN_BYTES);
    expect(call.destroyed).toBe(false);
    await steady.round();
  },
);
