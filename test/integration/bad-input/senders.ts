/** Sends cases over sockets of its own, byte for byte as given: a proper client would refuse to send most of them. */
import { once } from 'node:events';
import { connect as connectHttp2, type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { bytesOf, CLOSED, type BadCase, type GrpcMessage, type HttpMessage } from './bad-case.js';

export interface Outcome {
  readonly status: number;
  /** The error text; empty when there is none. */
  readonly message: string;
  /** Everything the server said, headers included. */
  readonly text: string;
}

/** A server that says nothing for so long hangs. */
export const ANSWER_WITHIN_MS = 5000;

const INFER = '/inference.GRPCInferenceService/ModelInfer';
const HEAD_END = '\r\n\r\n';
const closed: Outcome = { status: CLOSED, message: '', text: '' };

export class Senders {
  readonly #httpPort: number;
  readonly #grpcPort: number;
  readonly #idle: Socket[] = [];
  #session: ClientHttp2Session | undefined;

  constructor(ports: { readonly http: number; readonly grpc: number }) {
    this.#httpPort = ports.http;
    this.#grpcPort = ports.grpc;
  }

  send({ send: message }: BadCase): Promise<Outcome> {
    switch (message.via) {
      case 'http':
        return this.#request(message);
      case 'raw':
        return this.#converse(bytesOf(message.bytes));
      case 'grpc':
        return this.#call(message);
    }
  }

  close(): void {
    for (const socket of this.#idle.splice(0)) socket.destroy();
    this.#session?.destroy();
  }

  /** On a connection that is kept as long as the server keeps it. */
  async #request(message: HttpMessage): Promise<Outcome> {
    const method = message.method ?? 'POST';
    const body = bytesOf(message.body ?? '');
    const head = [
      `${method} ${message.path} HTTP/1.1`,
      'Host: test',
      ...(message.headers ?? []).map(([name, value]) => `${name}: ${value}`),
      ...(method === 'GET' || method === 'HEAD' ? [] : [`Content-Length: ${body.length}`]),
    ];
    const socket = this.#idle.pop() ?? (await this.#connect());
    const bytes = Buffer.concat([Buffer.from(head.join('\r\n') + HEAD_END, 'latin1'), body]);
    const { outcome, keep } = await answerOf(socket, bytes, method === 'HEAD');
    if (keep) this.#idle.push(socket);
    else socket.destroy();
    return outcome;
  }

  async #converse(bytes: Buffer): Promise<Outcome> {
    const socket = await this.#connect();
    const { outcome } = await answerOf(socket, bytes, false);
    socket.destroy();
    return outcome;
  }

  async #connect(): Promise<Socket> {
    const socket = connect({ port: this.#httpPort, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return socket;
  }

  #call(message: GrpcMessage): Promise<Outcome> {
    if (this.#session === undefined || this.#session.destroyed || this.#session.closed) {
      // Messages that wait for the window of the server count as memory of the session.
      this.#session = connectHttp2(`http://127.0.0.1:${this.#grpcPort}`, { maxSessionMemory: 1000 });
      this.#session.on('error', () => {});
    }
    const stream = this.#session.request({
      ':method': 'POST',
      ':path': message.path ?? INFER,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...message.headers,
    });
    return new Promise((resolve, reject) => {
      let said: IncomingHttpHeaders = {};
      const timer = setTimeout(() => {
        reject(new Error(`no answer within ${ANSWER_WITHIN_MS} ms`));
        stream.destroy();
      }, ANSWER_WITHIN_MS);
      stream.on('error', () => {});
      stream.on('response', (headers: IncomingHttpHeaders) => {
        said = { ...said, ...headers };
        if (message.unfinished === true && headers['grpc-status'] !== undefined) stream.close();
      });
      stream.on('trailers', (headers: IncomingHttpHeaders) => {
        said = { ...said, ...headers };
        if (message.unfinished === true) stream.close();
      });
      stream.resume();
      stream.on('close', () => {
        clearTimeout(timer);
        resolve(grpcOutcome(said));
      });
      if (message.unfinished === true) stream.write(bytesOf(message.body));
      else stream.end(bytesOf(message.body));
    });
  }
}

function grpcOutcome(said: IncomingHttpHeaders): Outcome {
  const httpStatus = Number(said[':status'] ?? CLOSED);
  const grpcStatus = said['grpc-status'];
  const message = decodeURIComponent(String(said['grpc-message'] ?? ''));
  return { status: grpcStatus === undefined ? httpStatus : Number(grpcStatus), message, text: `${JSON.stringify(said)} ${message}` };
}

interface HttpAnswer {
  readonly outcome: Outcome;
  /** The connection may carry another request. */
  readonly keep: boolean;
}

/** The first final answer to `bytes`, or CLOSED when the connection ends before it. */
function answerOf(socket: Socket, bytes: Buffer, isHead: boolean): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    let received: Buffer = Buffer.alloc(0);
    const settle = (answer: HttpAnswer): void => {
      clearTimeout(timer);
      socket.removeAllListeners('data').removeAllListeners('close').removeAllListeners('error');
      // An idle connection may still be reset by the server.
      socket.on('error', () => {});
      resolve(answer);
    };
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`no answer within ${ANSWER_WITHIN_MS} ms; so far: ${received.toString('latin1').slice(0, 200)}`));
    }, ANSWER_WITHIN_MS);
    socket.on('data', (part: Buffer) => {
      received = received.length === 0 ? part : Buffer.concat([received, part]);
      const answer = readAnswer(received, isHead);
      if (answer !== undefined) settle(answer);
    });
    // A reset may overtake the answer on its way out; what was received counts.
    socket.on('error', () => {});
    socket.on('close', () => settle({ outcome: closed, keep: false }));
    socket.write(bytes);
  });
}

/** Undefined while it is not whole. Interim answers (1xx) are skipped. */
function readAnswer(bytes: Buffer, isHead: boolean): HttpAnswer | undefined {
  const end = bytes.indexOf(HEAD_END);
  if (end < 0) return undefined;
  const head = bytes.toString('latin1', 0, end);
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]);
  const rest = bytes.subarray(end + HEAD_END.length);
  if (status < 200) return readAnswer(rest, isHead);
  // node:http's own refusals have neither a body nor a length; it closes the connection after them.
  const length = isHead ? 0 : Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0);
  if (!(rest.length >= length)) return undefined;
  const body = rest.toString('utf8', 0, length);
  const keep = !/^connection: close$/im.test(head) && rest.length === length;
  return { outcome: { status, message: length === 0 || status === 200 ? '' : errorText(body), text: `${head}\n${body}` }, keep };
}

/** The text of `{"error":"..."}`. Throws for any other document. */
function errorText(body: string): string {
  const document = JSON.parse(body) as Record<string, unknown>;
  const { error } = document;
  if (typeof error !== 'string' || error === '' || Object.keys(document).length !== 1) throw new Error(`not an error document: ${body}`);
  return error;
}
