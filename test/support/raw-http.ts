/** HTTP/1.1 as bytes: what is sent is not looked at, and what comes back is kept as it came. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';

export interface RawExchange {
  /** Written one after the other, with a pause between two. */
  readonly send: readonly Buffer[];
  /** How many answers these bytes bring, those with a status of 1xx left out. Fewer when the server ends the connection before. */
  readonly answers: number;
  /** Answers, by position from 0, that have no body whatever their head says. */
  readonly bodiless?: readonly number[];
  /** The client ends its side after the last byte. */
  readonly halfCloses?: boolean;
}

/** What every exchange ends with, so that the server says whether the connection still takes a request, and then closes it. */
const LAST = Buffer.from('GET /v2 HTTP/1.1\r\nHost: last\r\nConnection: close\r\n\r\n');
/** Long enough for a server to see the pieces apart. */
const PAUSE_MS = 15;

const LIMIT_MS = 20_000;

/** Everything that the server sends until it ends the connection, within `tls` if that is given. Rejects when it does not within 20 s. */
export async function rawExchange(port: number, exchange: RawExchange, tls?: ConnectionOptions): Promise<Buffer> {
  const plain = { port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true };
  const socket = tls === undefined ? connect(plain) : connectTls({ ...plain, ...tls });
  const received: Buffer[] = [];
  let ended = false;
  let onChange = (): void => {};
  const changed = (): Promise<void> => new Promise((resolve) => (onChange = resolve));
  const end = (): void => {
    ended = true;
    onChange();
  };
  socket.on('data', (data: Buffer) => {
    received.push(data);
    onChange();
  });
  socket.on('end', end);
  socket.on('close', end);
  socket.on('error', end); // A reset after the answer: what came before it counts.
  const late = setTimeout(() => socket.destroy(new Error('late')), LIMIT_MS);
  try {
    await once(socket, tls === undefined ? 'connect' : 'secureConnect');
    await write(socket, exchange.send, () => ended);
    if (exchange.halfCloses === true) socket.end();
    while (!ended && countAnswers(Buffer.concat(received), exchange.bodiless ?? []) < exchange.answers) await changed();
    if (!ended && exchange.halfCloses !== true) socket.write(LAST);
    while (!ended) await changed();
    if (socket.errored?.message === 'late')
      throw new Error(`no end after ${LIMIT_MS} ms, only: ${Buffer.concat(received).toString('latin1')}`);
    return Buffer.concat(received);
  } finally {
    clearTimeout(late);
    socket.destroy();
  }
}

async function write(socket: Socket, pieces: readonly Buffer[], isOver: () => boolean): Promise<void> {
  for (const [index, piece] of pieces.entries()) {
    if (index > 0) await sleep(PAUSE_MS);
    if (isOver()) return;
    socket.write(piece);
  }
}

/** Whole answers, those of 1xx left out. */
function countAnswers(bytes: Buffer, bodiless: readonly number[]): number {
  let answers = 0;
  for (let at = 0; ;) {
    const end = bytes.indexOf('\r\n\r\n', at);
    if (end < 0) return answers;
    const head = bytes.toString('latin1', at, end);
    at = end + 4;
    if (/^HTTP\/1\.1 1\d\d /.test(head)) continue;
    if (!bodiless.includes(answers)) at += Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
    if (at > bytes.length) return answers;
    answers++;
  }
}
