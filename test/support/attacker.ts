/** Connections of clients that mean harm: bytes as they are given, and what the server made of them. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface AttackOptions {
  /** Takes nothing that the server sends. */
  readonly isDeaf?: boolean;
}

export class Attacker {
  readonly socket: Socket;
  #received: Buffer[] = [];
  /** The server has ended or reset the connection. */
  hasEnded = false;
  readonly ended: Promise<void>;

  private constructor(socket: Socket, { isDeaf = false }: AttackOptions) {
    this.socket = socket;
    if (isDeaf) socket.pause();
    else socket.on('data', (data: Buffer) => this.#received.push(data));
    socket.on('error', () => {});
    this.ended = new Promise((resolve) => {
      const end = (): void => {
        this.hasEnded = true;
        resolve();
      };
      socket.once('end', end).once('close', end);
    });
  }

  static async connect(port: number, options: AttackOptions = {}): Promise<Attacker> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return new Attacker(socket, options);
  }

  /** Waits until the kernel has it, for `limitMs` at most; false when the connection has ended before. */
  async send(bytes: Buffer, limitMs = 20_000): Promise<boolean> {
    if (!this.hasEnded && !this.socket.write(bytes)) {
      const drained = new Promise((resolve) => this.socket.once('drain', resolve));
      const isOver = new AbortController();
      await Promise.race([drained, this.ended, sleep(Math.max(0, limitMs), undefined, { signal: isOver.signal }).catch(() => {})]);
      isOver.abort();
    }
    return !this.hasEnded;
  }

  /** Sends `times` pieces in writes of about 64 KiB, as long as the server takes them and `limitMs` lasts. How many were sent. */
  async flood(times: number, piece: (index: number) => Buffer, limitMs: number): Promise<number> {
    const deadline = performance.now() + limitMs;
    let waiting: Buffer[] = [];
    let bytes = 0;
    for (let index = 0; index < times; index++) {
      const one = piece(index);
      waiting.push(one);
      bytes += one.length;
      if (bytes < 64 * 1024 && index < times - 1) continue;
      if (!(await this.send(Buffer.concat(waiting), deadline - performance.now())) || performance.now() > deadline) return index + 1;
      waiting = [];
      bytes = 0;
    }
    return times;
  }

  get received(): Buffer {
    return Buffer.concat(this.#received);
  }

  /** Ends with a reset: nothing is said any more. */
  kill(): void {
    this.socket.resetAndDestroy();
  }
}

/** `count` of them, no more than `atOnce` on their way at a time. */
export async function connectMany(port: number, count: number, atOnce = 200, options: AttackOptions = {}): Promise<Attacker[]> {
  const all: Attacker[] = [];
  while (all.length < count) {
    const some = Array.from({ length: Math.min(atOnce, count - all.length) }, () => Attacker.connect(port, options));
    all.push(...(await Promise.all(some)));
  }
  return all;
}
