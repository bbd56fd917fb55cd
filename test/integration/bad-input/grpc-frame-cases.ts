/** Framing of gRPC messages (G2): sizes that are checked before the message is taken in, and after it is decompressed. */
import { deflateSync, gzipSync } from 'node:zlib';
import { status } from '@grpc/grpc-js';
import { DEFAULT_LIMIT, SMALL_LIMIT, type BadCase, type GrpcMessage } from './bad-case.js';
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

const TOO_LARGE = /larger than max/i;
const gzip = { 'grpc-encoding': 'gzip' };
const MEGABYTES = 'inflates to megabytes';
const bomb = (bytes: number): Buffer => Buffer.concat([good, delimited(100, Buffer.alloc(bytes))]);

export const grpcFrameCases: readonly BadCase[] = [
  ...[DEFAULT_LIMIT + 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1].map((length) =>
    framed(
      `a message that announces ${length} bytes and never comes`,
      { body: frame(good, { length }), unfinished: true },
      status.RESOURCE_EXHAUSTED,
      TOO_LARGE,
    ),
  ),
  framed('a message of a limit and a byte, really sent', { body: () => frame(bomb(SMALL_LIMIT)) }, status.RESOURCE_EXHAUSTED, TOO_LARGE, {
    small: true,
    heavy: 'a megabyte',
  }),
  framed(
    'gzip that inflates past the limit',
    { headers: gzip, body: () => frame(gzipSync(bomb(2 * SMALL_LIMIT)), { compressed: 1 }) },
    status.RESOURCE_EXHAUSTED,
    TOO_LARGE,
    { small: true, heavy: MEGABYTES },
  ),
  framed(
    'deflate that inflates past the limit',
    { headers: { 'grpc-encoding': 'deflate' }, body: () => frame(deflateSync(bomb(2 * SMALL_LIMIT)), { compressed: 1 }) },
    status.RESOURCE_EXHAUSTED,
    TOO_LARGE,
    { small: true, heavy: MEGABYTES },
  ),
  framed(
    '64 KiB of gzip for a limit of 64 MiB and more',
    { headers: gzip, body: () => frame(gzipSync(bomb(DEFAULT_LIMIT)), { compressed: 1 }) },
    status.RESOURCE_EXHAUSTED,
    TOO_LARGE,
    { heavy: MEGABYTES },
  ),
  framed(
    'a megabyte of gzip for a gigabyte',
    { headers: gzip, body: () => frame(gzipSync(Buffer.alloc(1024 * 1024 * 1024)), { compressed: 1 }) },
    status.RESOURCE_EXHAUSTED,
    TOO_LARGE,
    { heavy: MEGABYTES },
  ),
];

const INVALID_COMPRESSED = /compress|header check|zlib|gzip/i;
export const grpcBrokenFrameCases: readonly BadCase[] = [
  framed('compressed without an encoding', { body: frame(good, { compressed: 1 }) }, status.INTERNAL, /compress/i),
  framed('plain bytes called gzip', { headers: gzip, body: frame(good, { compressed: 1 }) }, status.INVALID_ARGUMENT, INVALID_COMPRESSED),
  framed(
    'gzip cut in the middle',
    { headers: gzip, body: frame(gzipSync(good).subarray(0, 20), { compressed: 1 }) },
    status.INVALID_ARGUMENT,
    INVALID_COMPRESSED,
  ),
  framed(
    'an encoding that nobody knows',
    { headers: { 'grpc-encoding': 'snappy' }, body: frame(good, { compressed: 1 }) },
    status.UNIMPLEMENTED,
    /snappy/,
  ),
  framed('no message at all', { body: '' }, status.UNIMPLEMENTED, /./),
  framed('two messages in a unary call', { body: Buffer.concat([frame(good), frame(good)]) }, status.UNIMPLEMENTED, /./),
  framed('a message cut in its prefix', { body: frame(good).subarray(0, 3) }, status.INVALID_ARGUMENT, /./),
  framed('a message cut in its body', { body: frame(good).subarray(0, -1) }, status.INVALID_ARGUMENT, /./),
  framed('another content type', { headers: { 'content-type': 'application/json' }, body: '{}' }, 415, /^$/),
  framed('a timeout that is no number', { headers: { 'grpc-timeout': 'soon' }, body: frame(good) }, status.INVALID_ARGUMENT, /timeout/i),
  framed(
    'a timeout of 20 digits',
    { headers: { 'grpc-timeout': '99999999999999999999S' }, body: frame(good) },
    status.INVALID_ARGUMENT,
    /timeout/i,
  ),
];
