/** Compressed bodies (H5): bombs, corrupt data, and gzip that says one thing and is another. */
import { constants, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { DEFAULT_LIMIT, inferPath, requestText, SMALL_LIMIT, type BadCase, type Bytes } from './bad-case.js';

const GOOD = Buffer.from(requestText());
const MIB = 1024 * 1024;
const INVALID = /^the body is not valid (gzip|deflate) data: /;
const BOMB = /^the decompressed body is larger than the limit of \d+ bytes$/;

const compressed = (name: string, encoding: 'gzip' | 'deflate', body: Bytes, message: RegExp, rest: Partial<BadCase> = {}): BadCase => ({
  row: 'H5',
  name,
  send: { via: 'http', path: inferPath('identity_fp32'), headers: [['Content-Encoding', encoding]], body },
  status: 400,
  message,
  ...rest,
});

const gzip = gzipSync(GOOD);
const deflate = deflateSync(GOOD);
/** Byte `at` (from the end when negative) flipped. */
const damaged = (bytes: Buffer, at: number): Buffer => {
  const copy = Buffer.from(bytes);
  const index = at < 0 ? copy.length + at : at;
  copy.writeUInt8(copy.readUInt8(index) ^ 0xff, index);
  return copy;
};

/** Made when it is first needed. */
const once = (make: () => Buffer): (() => Buffer) => {
  let made: Buffer | undefined;
  return () => (made ??= make());
};

const GZIP_HEAD = Buffer.from('1f8b0800000000000003', 'hex');
const ZLIB_HEAD = Buffer.from('7801', 'hex');
/** `mib` MiB of spaces, without an end. A full flush ends each piece at a byte, so that one piece can be repeated instead of compressing gigabytes. */
const spaces = (head: Buffer, mib: number): Buffer => {
  return Buffer.concat([head, ...Array.from({ length: Math.ceil(mib / 64) }, () => piece()), Buffer.alloc(8)]);
};
const piece = once(() => deflateRawSync(Buffer.alloc(64 * MIB, ' '), { finishFlush: constants.Z_FULL_FLUSH }));
export const gzipBomb = (mib: number): Buffer => spaces(GZIP_HEAD, mib);
/** Members of one gzip file, 64 MiB each: as large, in another way. */
const members = (mib: number): Buffer => Buffer.concat(Array.from({ length: Math.ceil(mib / 64) }, () => member()));
const member = once(() => gzipSync(Buffer.alloc(64 * MIB, ' ')));

const HUGE = 'inflates to the limit of 64 MiB';

const bombs: readonly BadCase[] = [
  compressed('10 MiB of gzip for 10 GiB of spaces', 'gzip', () => gzipBomb(10 * 1024), BOMB, { heavy: HUGE }),
  compressed('10 MiB of deflate for 10 GiB of spaces', 'deflate', () => spaces(ZLIB_HEAD, 10 * 1024), BOMB, { heavy: HUGE }),
  compressed('160 gzip members of 64 MiB', 'gzip', () => members(10 * 1024), BOMB, { heavy: HUGE }),
  compressed(
    'gzip of gzip, one of them declared',
    'gzip',
    once(() => gzipSync(gzipBomb(1024))),
    /^JSON at byte 0/,
    { heavy: HUGE },
  ),
  compressed(
    'valid JSON behind a limit of spaces',
    'gzip',
    once(() => gzipSync(Buffer.concat([Buffer.alloc(DEFAULT_LIMIT + MIB, ' '), GOOD]))),
    BOMB,
    { heavy: HUGE },
  ),
];

export const compressionCases: readonly BadCase[] = [
  ...bombs,
  compressed('a bomb of one byte over the limit', 'gzip', gzipSync(Buffer.alloc(SMALL_LIMIT + 1, ' ')), BOMB, {
    small: true,
    heavy: 'a megabyte',
  }),
  compressed('an empty gzip body', 'gzip', '', INVALID),
  compressed('an empty deflate body', 'deflate', '', INVALID),
  compressed('plain JSON called gzip', 'gzip', GOOD, INVALID),
  compressed('plain JSON called deflate', 'deflate', GOOD, INVALID),
  compressed('gzip called deflate', 'deflate', gzip, INVALID),
  compressed('deflate called gzip', 'gzip', deflate, INVALID),
  compressed('raw deflate called deflate', 'deflate', deflateRawSync(GOOD), INVALID),
  compressed('a gzip head and nothing else', 'gzip', GZIP_HEAD, INVALID),
  compressed('half a gzip head', 'gzip', GZIP_HEAD.subarray(0, 5), INVALID),
  compressed('gzip cut in the middle', 'gzip', gzip.subarray(0, gzip.length >> 1), INVALID),
  compressed('gzip without its checksum', 'gzip', gzip.subarray(0, -8), INVALID),
  compressed('gzip one byte short', 'gzip', gzip.subarray(0, -1), INVALID),
  compressed('deflate one byte short', 'deflate', deflate.subarray(0, -1), INVALID),
  compressed('gzip with a wrong checksum', 'gzip', damaged(gzip, -8), INVALID),
  compressed('gzip with a wrong size', 'gzip', damaged(gzip, -1), INVALID),
  compressed('deflate with a wrong checksum', 'deflate', damaged(deflate, -1), INVALID),
  compressed('gzip of an unknown method', 'gzip', damaged(gzip, 2), INVALID),
  compressed('gzip with a flipped byte of data', 'gzip', damaged(gzip, 14), INVALID),
  compressed('gzip whose second member is corrupt', 'gzip', Buffer.concat([gzip, damaged(gzip, 14)]), INVALID),
  compressed(
    'gzip whose second member is more JSON',
    'gzip',
    Buffer.concat([gzip, gzip]),
    /^JSON at byte \d+: found '\{', expected the end/,
  ),
  compressed('gzip of an empty text', 'gzip', gzipSync(''), /^JSON at byte 0: found the end/),
  compressed('gzip of text that is not JSON', 'gzip', gzipSync('hello'), /^JSON at byte 0|^the request/),
  {
    ...compressed('a JSON length in compressed bytes', 'gzip', gzip, /^Inference-Header-Content-Length: found 9999999, expected 0 to \d+/),
    send: {
      via: 'http',
      path: inferPath('identity_fp32'),
      headers: [
        ['Content-Encoding', 'gzip'],
        ['Inference-Header-Content-Length', '9999999'],
      ],
      body: gzipSync(Buffer.alloc(MIB, ' ')),
    },
    heavy: 'a megabyte',
  },
];
