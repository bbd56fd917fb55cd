/** Framing of gRPC messages (G2): sizes that are checked before the message is taken in, and after it is decompressed. */
import { deflateSync, gzipSync } from 'node:zlib';
import { status } from '@grpc/grpc-js';
import { DEFAULT_LIMIT, SMALL_LIMIT, type BadCase, type GrpcMessage } from './bad-case.js';
import { gzipBomb } from './compression-cases.js';
import { delimited, frame, grpcRequest } from './protobuf-wire.js';

const good = grpcRequest({});

const framed = (name: string, send: Omit<GrpcMessage, 'via'>, code: number, message: RegExp, rest: Partial<BadCase> = {}): BadCase => ({
  row: 'G2',
  name,
  send: { via: 'grpc', ...send },
  status: code,
  message,
  ...rest,
});

const TOO_LARGE = /^Received message larger than max \(\d+ vs \d+\)$/;
const INFLATES = /^Received message that decompresses to a size larger than \d+$/;
const gzip = { 'grpc-encoding': 'gzip' };
const MEGABYTES = 'inflates to megabytes';
const padded = (bytes: number): Buffer => Buffer.concat([good, delimited(100, Buffer.alloc(bytes))]);
const inflating = (name: string, encoding: string, message: () => Buffer, small: boolean): BadCase =>
  framed(
    name,
    { headers: { 'grpc-encoding': encoding }, body: () => frame(message(), { compressed: 1 }) },
    status.RESOURCE_EXHAUSTED,
    INFLATES,
    { small, heavy: MEGABYTES },
  );

const sizes: readonly BadCase[] = [
  ...[DEFAULT_LIMIT + 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1].map((length) =>
    framed(
      `a message that announces ${length} bytes and never comes`,
      { body: frame(good, { length }), unfinished: true },
      status.RESOURCE_EXHAUSTED,
      TOO_LARGE,
    ),
  ),
  framed('a message of a limit and a byte, really sent', { body: () => frame(padded(SMALL_LIMIT)) }, status.RESOURCE_EXHAUSTED, TOO_LARGE, {
    small: true,
    heavy: 'a megabyte',
  }),
  inflating('gzip that inflates past the limit', 'gzip', () => gzipSync(padded(2 * SMALL_LIMIT)), true),
  inflating('deflate that inflates past the limit', 'deflate', () => deflateSync(padded(2 * SMALL_LIMIT)), true),
];

const grpcBombs: readonly BadCase[] = [
  inflating('128 KiB of gzip for the limit and more', 'gzip', () => gzipBomb(128), false),
  inflating('10 MiB of gzip for 10 GiB', 'gzip', () => gzipBomb(10 * 1024), false),
];

/** grpc-js reads frames: their statuses are those that gRPC has for it. */
const CANNOT = /^Failed to decompress message$/;
const NO_MESSAGE = /^Received no request message/;
const broken: readonly BadCase[] = [
  framed('plain bytes called gzip', { headers: gzip, body: frame(good, { compressed: 1 }) }, status.INTERNAL, CANNOT),
  framed(
    'gzip cut in the middle',
    { headers: gzip, body: frame(gzipSync(good).subarray(0, 20), { compressed: 1 }) },
    status.INTERNAL,
    CANNOT,
  ),
  framed(
    'an encoding that nobody knows',
    { headers: { 'grpc-encoding': 'snappy' }, body: frame(good, { compressed: 1 }) },
    status.UNIMPLEMENTED,
    /snappy/,
  ),
  framed('no message at all', { body: '' }, status.UNIMPLEMENTED, NO_MESSAGE),
  framed('two messages in a unary call', { body: Buffer.concat([frame(good), frame(good)]) }, status.UNIMPLEMENTED, /message/),
  framed('a message cut in its prefix', { body: frame(good).subarray(0, 3) }, status.UNIMPLEMENTED, NO_MESSAGE),
  framed('a message cut in its body', { body: frame(good).subarray(0, -1) }, status.UNIMPLEMENTED, NO_MESSAGE),
  framed('another content type', { headers: { 'content-type': 'application/json' }, body: '{}' }, 415, /^$/),
  framed(
    'a timeout that is no number',
    { headers: { 'grpc-timeout': 'soon' }, body: frame(good) },
    status.INTERNAL,
    /^Invalid grpc-timeout value "soon"$/,
  ),
];

export const grpcFrameCases: readonly BadCase[] = [...sizes, ...grpcBombs, ...broken];
