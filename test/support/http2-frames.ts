/** HTTP/2 as frames (RFC 9113), for clients that no library would let misbehave so. */

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

export const FLAG = { endStream: 0x1, endHeaders: 0x4 } as const;

const TYPE = { data: 0, headers: 1, priority: 2, reset: 3, settings: 4, ping: 6, windowUpdate: 8, continuation: 9 } as const;
type FrameType = keyof typeof TYPE;

export const SETTING = { initialWindowSize: 4 } as const;

const HEAD_BYTES = 9;
const MOST_FRAME_BYTES = 16_384;

export function frame(type: FrameType, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(TYPE[type], 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** Pairs of a setting and its value. */
export function settings(...pairs: (readonly [number, number])[]): Buffer {
  const payload = Buffer.alloc(pairs.length * 6);
  pairs.forEach(([id, value], index) => {
    payload.writeUInt16BE(id, index * 6);
    payload.writeUInt32BE(value, index * 6 + 2);
  });
  return frame('settings', 0, 0, payload);
}

export function reset(stream: number): Buffer {
  const cancel = Buffer.from([0, 0, 0, 8]);
  return frame('reset', 0, stream, cancel);
}

/** Fields as HPACK literals that no table remembers (RFC 7541, 6.2.2). Names and values of 126 bytes at most. */
export function literals(fields: Readonly<Record<string, string>>): Buffer {
  const text = (value: string): Buffer => Buffer.concat([Buffer.from([value.length]), Buffer.from(value, 'latin1')]);
  return Buffer.concat(Object.entries(fields).map(([name, value]) => Buffer.concat([Buffer.from([0]), text(name), text(value)])));
}

/** The head of a gRPC call. */
export function callHead(stream: number, path: string, flags = 0): Buffer {
  const fields = {
    ':method': 'POST',
    ':scheme': 'http',
    ':path': path,
    ':authority': 'x',
    'content-type': 'application/grpc',
    te: 'trailers',
  };
  return frame('headers', FLAG.endHeaders | flags, stream, literals(fields));
}

/** The whole body of a stream, in frames as large as every server takes them (RFC 9113, 4.2). */
export function body(stream: number, bytes: Buffer): Buffer {
  const frames: Buffer[] = [];
  for (let at = 0; at === 0 || at < bytes.length; at += MOST_FRAME_BYTES) {
    const isLast = at + MOST_FRAME_BYTES >= bytes.length;
    frames.push(frame('data', isLast ? FLAG.endStream : 0, stream, bytes.subarray(at, at + MOST_FRAME_BYTES)));
  }
  return Buffer.concat(frames);
}

/** The nth stream of a client, from 0. */
export const streamId = (index: number): number => 2 * index + 1;
