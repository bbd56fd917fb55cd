/**
 * gRPC calls straight on node:http2, for tests that count failures. A full client hides some: grpc-js repeats a call once, whatever its
 * options say, when the server did not begin with it, and what was refused at the end of a connection never shows.
 */
import {
  connect,
  type ClientHttp2Session,
  type SecureClientSessionOptions,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
} from 'node:http2';
import { rpc } from './clients.js';

/** What the frame of a message begins with: not compressed, then four bytes of length. */
const PREFIX_BYTES = 5;

/** node:http2 took the call and then read, before it wrote the first byte of it, that the server wants no more of them. */
const NEVER_SENT = Symbol('never sent');

export class Http2GrpcClient {
  readonly #url: string;
  readonly #mayConnect: () => boolean;
  readonly #tls: SecureClientSessionOptions;
  #session: ClientHttp2Session | undefined;
  /** Connections that were made. */
  connections = 0;
  /** Connections whose server said, with GOAWAY, that it will take no more calls on them. */
  toldToGo = 0;

  /** `mayConnect`: asked before a new connection; one that is there is used as long as the server lets it. `tls`: undefined = plain. */
  constructor(address: string, mayConnect: () => boolean = () => true, tls?: SecureClientSessionOptions) {
    this.#url = `${tls === undefined ? 'http' : 'https'}://${address}`;
    this.#tls = tls ?? {};
    this.#mayConnect = mayConnect;
  }

  /** A call that has not left this process goes to the next connection. Resolves to undefined without a call when there is no connection and none may be made. Rejects with what went wrong, once only. */
  async call<Response>(method: string, request: unknown): Promise<Response | undefined> {
    const session = this.#usable();
    if (session === undefined) return undefined;
    const { path, requestSerialize, responseDeserialize } = rpc(method);
    const message = requestSerialize(request);
    const prefix = Buffer.alloc(PREFIX_BYTES);
    prefix.writeUInt32BE(message.length, 1);
    const outcome = await new Promise<Response | typeof NEVER_SENT>((resolve, reject) => {
      let wasSent = true;
      const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' });
      const chunks: Buffer[] = [];
      let status: string | undefined;
      let text = '';
      const read = (headers: IncomingHttpHeaders & IncomingHttpStatusHeader): void => {
        if (headers[':status'] !== undefined && headers[':status'] !== 200) text = `HTTP ${String(headers[':status'])}`;
        if (headers['grpc-status'] === undefined) return;
        status = String(headers['grpc-status']);
        text = decodeURIComponent(String(headers['grpc-message'] ?? ''));
      };
      stream.on('response', read).on('trailers', read);
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.once('frameError', () => (wasSent = false));
      stream.on('error', (error: Error) => (wasSent ? reject(error) : resolve(NEVER_SENT)));
      stream.on('close', () => {
        if (status === '0') resolve(responseDeserialize(Buffer.concat(chunks).subarray(PREFIX_BYTES)) as Response);
        else reject(new Error(`gRPC status ${status ?? 'none'}, reset code ${stream.rstCode}: ${text}`));
      });
      stream.end(Buffer.concat([prefix, message]));
    });
    return outcome === NEVER_SENT ? this.call(method, request) : outcome;
  }

  close(): void {
    this.#session?.close();
  }

  #usable(): ClientHttp2Session | undefined {
    if (this.#session !== undefined) return this.#session;
    if (!this.#mayConnect()) return undefined;
    const session = connect(this.#url, this.#tls);
    this.connections++;
    const leave = (): void => {
      if (this.#session === session) this.#session = undefined;
    };
    session.once('goaway', () => {
      this.toldToGo++;
      leave();
    });
    session.once('close', leave);
    session.on('error', leave); // Its calls fail with it.
    return (this.#session = session);
  }
}
