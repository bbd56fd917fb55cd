/** Clients that leave in the middle of anything, and those whose requests are large where they should be small. */
import { connect as connectHttp2 } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Attacker, connectMany } from '../support/attacker.js';
import { inferMessage } from '../support/clients.js';
import { endure } from '../support/endured-attack.js';
import { body as bodyFrames, callHead, PREFACE, settings } from '../support/http2-frames.js';
import { frame as messageFrame } from '../support/raw-grpc.js';
import { fixtureModels, ServerProcess, shippedModels } from '../support/server-process.js';
import { slowInputs, untilInFlight } from '../support/slow-model.js';
import { binaryRequest } from '../support/tensors.js';

const MIB = 2 ** 20;
const INFER = '/inference.GRPCInferenceService/ModelInfer';
const PASSED_ON = '/inference.GRPCInferenceService/ServerMetadata';
/** Several milliseconds of the model. */
const ITERATIONS = 20n;

/** The same numbers every time: a failure can be looked at again. */
function dice(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

const inferOverHttp = ((): Buffer => {
  const { body, jsonBytes } = binaryRequest(slowInputs(ITERATIONS));
  const head = `POST /v2/models/slow/infer HTTP/1.1\r\nHost: x\r\nInference-Header-Content-Length: ${jsonBytes}\r\nContent-Length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), body]);
})();
/** A message without a field. */
const NOTHING = messageFrame(Buffer.alloc(0));
const inferMessageOfSlow = messageFrame(inferMessage('slow', slowInputs(ITERATIONS)));

/** What a client sends before it leaves: the begin of these, most often whole. */
const conversations = [
  { port: 'http', bytes: inferOverHttp },
  { port: 'http', bytes: Buffer.from('GET /v2 HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(3)) },
  {
    port: 'http',
    bytes: Buffer.from('POST /v2/models/add_sub/infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n'),
  },
  {
    port: 'grpc',
    bytes: Buffer.concat([PREFACE, settings(), callHead(1, INFER), bodyFrames(1, inferMessageOfSlow)]),
  },
  {
    port: 'grpc',
    bytes: Buffer.concat([PREFACE, settings(), callHead(1, PASSED_ON), bodyFrames(1, NOTHING)]),
  },
] as const;

describe.each(['native', 'js'])('the %s front end', (kind) => {
  let server: ServerProcess;
  beforeAll(async () => {
    const flags = ['--front-end', kind, '--front-end-threads', '2'];
    server = await ServerProcess.start({ repositories: [fixtureModels, shippedModels], flags });
  });
  afterAll(() => server.stop());

  it('forgets clients that are killed in the middle of what they say or are told', async () => {
    const CLIENTS = 1000;
    const AT_ONCE = 20;
    const random = dice(7);
    const use = await endure(server, async () => {
      const killOne = async (index: number): Promise<void> => {
        const { port, bytes } = conversations[index % conversations.length] ?? conversations[0];
        const attacker = await Attacker.connect(server.ports[port], { isDeaf: random() < 0.5 });
        await attacker.send(bytes.subarray(0, Math.floor(bytes.length * Math.min(1, 2 * random()))));
        await sleep(random() * 10);
        if (random() < 0.5) attacker.kill();
        else attacker.socket.destroy();
      };
      for (let first = 0; first < CLIENTS; first += AT_ONCE) {
        await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => killOne(first + index)));
      }
      return [];
    });
    await untilInFlight(server, 0, 20_000);
    // JavaScript's heap, and arenas of malloc. A leak of each request would come to as much alone.
    expect(use.grownBytes).toBeLessThan(64 * MIB);
  });

  it('forgets calls that are cancelled at any moment, and nothing of them stays in the engine', async () => {
    const CALLS = 1500;
    const CONNECTIONS = 5;
    const AT_ONCE = 20;
    const random = dice(11);
    const use = await endure(server, async () => {
      const sessions = Array.from({ length: CONNECTIONS }, () => connectHttp2(`http://${server.grpcAddress}`).on('error', () => {}));
      const cancelOne = async (index: number): Promise<void> => {
        const session = sessions[index % CONNECTIONS];
        if (session === undefined || session.destroyed || session.closed) return;
        const isPassedOn = random() < 0.3;
        const stream = session.request({
          ':method': 'POST',
          ':path': isPassedOn ? PASSED_ON : INFER,
          'content-type': 'application/grpc',
          te: 'trailers',
        });
        stream.on('error', () => {}).resume();
        const moment = random();
        if (moment > 0.1) stream.write(isPassedOn ? NOTHING : inferMessageOfSlow);
        if (moment > 0.3) stream.end();
        await sleep(random() * 10);
        stream.close(8);
      };
      for (let first = 0; first < CALLS; first += AT_ONCE) {
        await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => cancelOne(first + index)));
      }
      for (const session of sessions) session.destroy();
      return [];
    });
    await untilInFlight(server, 0, 20_000);
    // JavaScript's heap, and arenas of malloc. A leak of each request would come to as much alone.
    expect(use.grownBytes).toBeLessThan(64 * MIB);
  });

  it('refuses heads without measure', async () => {
    const use = await endure(server, async () => {
      const attackers = await connectMany(server.ports.http, 20);
      const line = Buffer.from(`a: ${'b'.repeat(1000)}\r\n`);
      await Promise.all(
        attackers.map(async (attacker) => {
          await attacker.send(Buffer.from('POST /v2/models/add_sub/infer HTTP/1.1\r\nHost: x\r\n'));
          await attacker.flood(10_000, () => line, 5000);
          await attacker.ended;
        }),
      );
      for (const { received } of attackers) if (received.length > 0) expect(received.toString('latin1')).toMatch(/^HTTP\/1\.1 431 /);
      return attackers;
    });
    // Far less than the heads.
    expect(use.grownBytes).toBeLessThan(64 * MIB);
  });

  it('takes chunks of a byte by the hundred thousand', async () => {
    const CHUNKS = 300_000;
    const use = await endure(server, async () => {
      const attacker = await Attacker.connect(server.ports.http);
      await attacker.send(Buffer.from('POST /v2/models/add_sub/infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n'));
      await attacker.flood(CHUNKS, () => Buffer.from('1\r\n{\r\n'), 20_000);
      await attacker.send(Buffer.from('0\r\n\r\n'));
      await expect.poll(() => attacker.received.toString('latin1'), { timeout: 20_000 }).toMatch(/^HTTP\/1\.1 400 /);
      return [attacker];
    });
    // 10 us for each chunk. What grows with the chunks before it would come to a hundred times as much.
    expect(use.cpuMs).toBeLessThan(1500 + CHUNKS / 100);
    expect(use.grownBytes).toBeLessThan(64 * MIB);
  });
});
