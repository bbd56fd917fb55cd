/** gRPC as fields and frames straight on node:http2: what is sent is not looked at, and what comes back is kept as it came. */
import { connect, type SecureClientSessionOptions, type IncomingHttpHeaders, type IncomingHttpStatusHeader } from 'node:http2';

export interface RawCall {
  readonly path: string;
  /** Beside those of every call; undefined = leave this one out. */
  readonly fields?: Readonly<Record<string, string | undefined>>;
  /** What the body is, whole frames or not. */
  readonly body: readonly Buffer[];
  /** The client gives up after so many bytes of the answer. */
  readonly cancelsAtBytes?: number;
}

/** Fields as they came, but for `date`. */
type Fields = readonly (readonly [string, string])[];

export interface RawAnswer {
  /** Error of the HTTP/2 stream; 0 = none. */
  readonly reset: number;
  readonly head: Fields;
  /** In hexadecimal digits. */
  readonly data: string;
  readonly trailers: Fields;
}

/** One frame of a message. */
export function frame(message: Buffer, compressed = 0, length = message.length): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt8(compressed, 0);
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, message]);
}

/** Makes the calls on one connection, one after the other, within `tls` if that is given. */
export async function rawCalls(address: string, calls: readonly RawCall[], tls?: SecureClientSessionOptions): Promise<RawAnswer[]> {
  const session = tls === undefined ? connect(`http://${address}`) : connect(`https://${address}`, tls);
  let failure: Error | undefined;
  session.on('error', (error: Error) => (failure = error));
  try {
    const answers: RawAnswer[] = [];
    for (const call of calls) {
      if (failure !== undefined) throw failure;
      answers.push(await answerTo(call));
    }
    return answers;
  } finally {
    session.destroy();
  }

  function answerTo({ path, fields = {}, body, cancelsAtBytes = Infinity }: RawCall): Promise<RawAnswer> {
    const all = { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers', ...fields, ':path': path };
    const given = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
    return new Promise((resolve) => {
      const stream = session.request(given, { endStream: body.length === 0 });
      const late = setTimeout(() => stream.close(99), 20_000);
      const chunks: Buffer[] = [];
      let [head, trailers]: [Fields, Fields] = [[], []];
      stream.on('response', (headers) => (head = kept(headers)));
      stream.on('trailers', (headers: IncomingHttpHeaders) => (trailers = kept(headers)));
      stream.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        if (Buffer.concat(chunks).length >= cancelsAtBytes) stream.close(8);
      });
      stream.on('error', () => {});
      stream.once('close', () => {
        clearTimeout(late);
        resolve({ reset: stream.rstCode ?? 0, head, data: Buffer.concat(chunks).toString('hex'), trailers });
      });
      for (const piece of body) stream.write(piece);
      if (body.length > 0) stream.end();
    });
  }
}

function kept(headers: IncomingHttpHeaders & IncomingHttpStatusHeader): Fields {
  return Object.entries(headers)
    .filter(([name]) => name !== 'date')
    .map(([name, value]) => [name, String(value)]);
}
