/** gzip and deflate (zlib format), both ways. Work is done on libuv's threads, in pieces, never in one block. */
import { constants, createDeflate, createGunzip, createGzip, createInflate } from 'node:zlib';
import { ServerError, asServerError } from '../../errors.js';
import type { Allotment } from './byte-budget.js';

export type Encoding = 'identity' | 'gzip' | 'deflate';

const PIECE_BYTES = 64 * 1024;

/** The best of gzip, deflate and identity by their q-values; the first on a tie; identity when none of them is acceptable. */
export function chooseEncoding(acceptEncoding: string): Encoding {
  let best: Encoding = 'identity';
  let bestQuality = 0;
  for (const entry of acceptEncoding.split(',')) {
    const [name = '', ...parameters] = entry.split(';').map((part) => part.trim().toLowerCase());
    if (name !== 'gzip' && name !== 'deflate' && name !== 'identity') continue;
    const quality = qualityOf(parameters);
    if (quality > bestQuality) {
      best = name;
      bestQuality = quality;
    }
  }
  return best;
}

/** 0 (not acceptable) for a malformed value: not compressing is always safe. */
function qualityOf(parameters: readonly string[]): number {
  for (const parameter of parameters) {
    if (!parameter.startsWith('q=')) continue;
    const value = parameter.slice(2);
    return /^(0(\.[0-9]{0,3})?|1(\.0{0,3})?)$/.test(value) ? Number(value) : 0;
  }
  return 1;
}

/**
 * The decompressed body in pieces, `maxBytes` at most in all: what goes beyond is never taken into memory.
 * Each piece is charged to `allotment`.
 * Throws ERR_REQUEST_TOO_LARGE, ERR_IN_FLIGHT_FULL, and ERR_REQUEST_COMPRESSED for corrupt and truncated data.
 */
export function decompress(
  chunks: readonly Buffer[],
  encoding: 'gzip' | 'deflate',
  maxBytes: number,
  allotment: Allotment,
): Promise<Buffer[]> {
  return new Promise((resolve, reject) => {
    const stream = encoding === 'gzip' ? createGunzip({ chunkSize: PIECE_BYTES }) : createInflate({ chunkSize: PIECE_BYTES });
    const pieces: Buffer[] = [];
    let bytes = 0;
    stream.on('data', (piece: Buffer) => {
      bytes += piece.length;
      try {
        if (bytes > maxBytes) {
          throw new ServerError('ERR_REQUEST_TOO_LARGE', `the decompressed body is larger than the limit of ${maxBytes} bytes`);
        }
        allotment.take(piece.length);
        pieces.push(piece);
      } catch (thrown) {
        stream.destroy();
        reject(asServerError(thrown));
      }
    });
    stream.on('end', () => resolve(pieces));
    stream.on('error', (cause) => {
      reject(new ServerError('ERR_REQUEST_COMPRESSED', `the body is not valid ${encoding} data: ${cause.message}`, { cause }));
    });
    for (const chunk of chunks) stream.write(chunk);
    stream.end();
  });
}

/** The compressed form of the parts, one after the other. */
export function compress(parts: readonly Buffer[], encoding: 'gzip' | 'deflate'): Promise<Buffer[]> {
  return new Promise((resolve, reject) => {
    // The fastest level: tensors of floats hardly shrink further, and the answer is waited for.
    const options = { level: constants.Z_BEST_SPEED, chunkSize: PIECE_BYTES };
    const stream = encoding === 'gzip' ? createGzip(options) : createDeflate(options);
    const pieces: Buffer[] = [];
    stream.on('data', (piece: Buffer) => pieces.push(piece));
    stream.on('end', () => resolve(pieces));
    stream.on('error', reject);
    for (const part of parts) stream.write(part);
    stream.end();
  });
}
