/** Clients of gRPC that misuse HTTP/2: each costs the server little, and other clients nothing. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Attacker } from '../support/attacker.js';
import { inferMessage } from '../support/clients.js';
import { endure } from '../support/endured-attack.js';
import { body, callHead, frame, literals, PREFACE, reset, SETTING, settings, streamId } from '../support/http2-frames.js';
import { frame as messageFrame } from '../support/raw-grpc.js';
import { ServerProcess } from '../support/server-process.js';
import { SteadyClient } from '../support/steady-client.js';
import { int32 } from '../support/tensors.js';

const MIB = 2 ** 20;
/** Far less than an attack would take if each of its frames left something behind, were it only 100 bytes. */
const MOST_GROWN_BYTES = 16 * MIB;
/** What the client that behaves costs, JavaScript's garbage included. */
const OTHERS_MS = 1500;
/**
 * A hundred times what a frame costs natively on a machine of 2026. Work that grows with the frames before it costs a nanosecond for each of
 * them at least, and so far more over the 100,000 of a connection.
 */
const MOST_MS_PER_FRAME = 0.01;
/** The frames of a call that JavaScript takes, begins and cancels. */
const MOST_MS_PER_CALL = 2;
/** A server that has stopped reading is enough: the attack need not be sent to its end. */
const FLOOD_LIMIT_MS = 5000;

const INFER = '/inference.GRPCInferenceService/ModelInfer';
const PASSED_ON = '/inference.GRPCInferenceService/ServerLive';
const GREETING = Buffer.concat([PREFACE, settings()]);
const MESSAGE = messageFrame(
  inferMessage(
    'add_sub',
    ['INPUT0', 'INPUT1'].map((name) => int32(name, [1, 16], Array<number>(16).fill(1))),
  ),
);

interface Attack {
  readonly connections: number;
  /** Before the flood. */
  readonly first?: Buffer;
  readonly times: number;
  readonly piece: (index: number) => Buffer;
  /** The server ends the connection, rather than to go on reading. */
  readonly isEnded?: boolean;
  /** What a piece may cost. */
  readonly mostMs?: number;
}

const flood = (piece: Buffer, more: Partial<Attack> = {}): Attack => ({ connections: 4, times: 100_000, piece: () => piece, ...more });

/** What PRIORITY says (RFC 7540, 6.3): on nothing but that stream, with the largest weight. */
function dependsOn(stream: number): Buffer {
  const payload = Buffer.alloc(5, 0xff);
  payload.writeInt32BE(stream | (1 << 31));
  return payload;
}

/** Calls with all that belongs to them, each reset at once. */
function rapidResets(path: string, message: Buffer, mostMs: number): Attack {
  const piece = (index: number): Buffer => {
    const stream = streamId(index);
    return Buffer.concat([callHead(stream, path), body(stream, message), reset(stream)]);
  };
  return { connections: 10, times: 5000, piece, mostMs };
}

const unendedHead = { connections: 10, times: 10_000, first: frame('headers', 0, 1, literals({ ':method': 'POST' })), isEnded: true };
const unendedCall = { first: callHead(1, INFER) };

const attacks: Readonly<Record<string, Attack>> = {
  'rapid resets of inference': rapidResets(INFER, MESSAGE, 10 * MOST_MS_PER_FRAME),
  'rapid resets of calls that JavaScript answers': rapidResets(PASSED_ON, messageFrame(Buffer.alloc(0)), MOST_MS_PER_CALL),
  'CONTINUATION without end': flood(frame('continuation', 0, 1, literals({ a: 'b'.repeat(100) })), unendedHead),
  'empty CONTINUATION without end': flood(frame('continuation', 0, 1), unendedHead),
  'large CONTINUATION without end': flood(
    frame('continuation', 0, 1, Buffer.concat(Array<Buffer>(150).fill(literals({ a: 'b'.repeat(100) })))),
    unendedHead,
  ),
  // Two bytes for each field of 4 kB that the table has.
  'fields that a table multiplies': flood(
    frame(
      'continuation',
      0,
      1,
      Buffer.concat([Buffer.from([0x40, 1, 97, 0x7f, 0xa1, 0x1e]), Buffer.alloc(4000, 98), Buffer.alloc(8000, 0xbe)]),
    ),
    unendedHead,
  ),
  PING: flood(frame('ping', 0, 0, Buffer.alloc(8)), { isEnded: true }),
  SETTINGS: flood(settings([SETTING.initialWindowSize, 65_535]), { isEnded: true }),
  'empty DATA': flood(frame('data', 0, 1), unendedCall),
  'DATA of a byte': flood(frame('data', 0, 1, Buffer.from([1])), { ...unendedCall, times: 50_000 }),
  WINDOW_UPDATE: flood(frame('windowUpdate', 0, 0, Buffer.from([0, 0, 0, 1]))),
  'PRIORITY of one stream': flood(frame('priority', 0, 1, dependsOn(0)), unendedCall),
  // A tree of them would have to be kept, and walked.
  'PRIORITY of streams that depend on each other': flood(Buffer.alloc(0), {
    piece: (index) => frame('priority', 0, streamId(index + 1), dependsOn(streamId(index))),
  }),
  'PRIORITY that moves streams about': flood(Buffer.alloc(0), {
    piece: (index) => frame('priority', 0, streamId(index % 100), dependsOn(streamId(100 + (index % 7)))),
  }),
  'frames of a type that nobody knows': flood(Buffer.concat([Buffer.from([0, 0, 0, 99, 0]), Buffer.alloc(4)])),
};

const cases = Object.entries(attacks).flatMap(([name, attack]) =>
  [false, true].map((isDeaf) => [isDeaf ? `${name}, and takes nothing` : name, attack, isDeaf] as const),
);

/** Its connections, still open, and how many pieces were sent. */
async function send(server: ServerProcess, { connections, first, times, piece }: Attack, isDeaf: boolean): Promise<[Attacker[], number]> {
  const attackers: Attacker[] = [];
  let sent = 0;
  for (let i = 0; i < connections; i++) {
    const attacker = await Attacker.connect(server.ports.grpc, { isDeaf });
    attackers.push(attacker);
    await attacker.send(GREETING);
    if (first !== undefined) await attacker.send(first);
    sent += await attacker.flood(times, piece, FLOOD_LIMIT_MS);
  }
  return [attackers, sent];
}

const start = (kind: string): Promise<ServerProcess> => ServerProcess.start({ flags: ['--front-end', kind, '--front-end-threads', '1'] });

describe('the native front end endures a client that floods it with', () => {
  let server: ServerProcess;
  beforeAll(async () => {
    server = await start('native');
  });
  afterAll(() => server.stop());

  it.each(cases)('%s', async (_name, attack, isDeaf) => {
    let sent = 0;
    const use = await endure(server, async () => {
      const [attackers, pieces] = await send(server, attack, isDeaf);
      sent = pieces;
      // A deaf client hears of its end only when it has taken what was sent before.
      if (attack.isEnded === true && !isDeaf) await Promise.all(attackers.map(({ ended }) => ended));
      return attackers;
    });
    expect(use.grownBytes).toBeLessThan(MOST_GROWN_BYTES);
    expect(use.cpuMs).toBeLessThan(OTHERS_MS + sent * (attack.mostMs ?? MOST_MS_PER_FRAME));
  });
});

describe('the JavaScript front end outlives a client that floods it with', () => {
  let server: ServerProcess;
  let steady: SteadyClient;
  beforeAll(async () => {
    server = await start('js');
    steady = new SteadyClient(server);
  });
  afterAll(async () => {
    await steady.close();
    await server.stop();
  });

  // Not that its descriptors come back: Node 20 keeps that of a connection which it has refused for an error until grpc-js asks whether
  // the client still lives, after 80 s.
  it.each(cases.filter(([, , isDeaf]) => isDeaf))('%s', async (_name, attack, isDeaf) => {
    let attackers: readonly Attacker[] = [];
    await steady.during(async () => void ([attackers] = await send(server, { ...attack, connections: 1 }, isDeaf)));
    for (const attacker of attackers) attacker.kill();
    await steady.round();
  });
});
