/** How a message is cut into bytes: chunks (H1), declared lengths (H8), and what two HTTP readers could read differently (H11). */
import { CLOSED, DEFAULT_LIMIT, inferPath, NOTHING, requestText, SMALL_LIMIT, type BadCase, type Bytes } from './bad-case.js';

const PATH = inferPath('identity_fp32');
const GOOD = requestText();
const HEAD = `POST ${PATH} HTTP/1.1\r\nHost: test\r\n`;
const CHUNKED = `${HEAD}Transfer-Encoding: chunked\r\n\r\n`;
const MALFORMED = /^malformed HTTP request/;

interface Raw {
  readonly name: string;
  readonly bytes: Bytes;
  readonly status?: number;
  readonly message?: RegExp;
  readonly small?: boolean;
  readonly heavy?: string;
}

const raw =
  (row: BadCase['row']) =>
  ({ name, bytes, status = 400, message = MALFORMED, ...rest }: Raw): BadCase => ({
    row,
    name,
    send: { via: 'raw', bytes },
    status,
    message,
    ...rest,
  });

/** `count` chunks of one byte each, to any path. */
const oneByteChunks = (path: string, count: number, end = '0\r\n\r\n'): Bytes => {
  return () => Buffer.from(`POST ${path} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n${'1\r\nA\r\n'.repeat(count)}${end}`);
};

const MANY = 'megabytes of chunks, a hundred milliseconds each';
const TOO_MANY = /^the body comes in more than 65536 chunks$/;

const manyChunks: readonly Raw[] = [
  { name: '65537 chunks of a byte', bytes: oneByteChunks(PATH, 65_537), message: TOO_MANY, heavy: MANY },
  {
    name: '65536 chunks of a byte, which is no JSON',
    bytes: oneByteChunks(PATH, 65_536),
    message: /^the request|^JSON at byte 0/,
    heavy: MANY,
  },
  { name: '300000 chunks of a byte', bytes: oneByteChunks(PATH, 300_000), message: TOO_MANY, heavy: MANY },
  { name: '300000 chunks without the last one', bytes: oneByteChunks(PATH, 300_000, ''), message: TOO_MANY, heavy: MANY },
  { name: '100000 chunks to an unknown model', bytes: oneByteChunks(inferPath('nobody'), 100_000), message: TOO_MANY, heavy: MANY },
  {
    name: '300000 chunks to /v2/repository/index',
    bytes: oneByteChunks('/v2/repository/index', 300_000),
    status: 501,
    message: /^the model repository extension is not offered/,
    heavy: MANY,
  },
  { name: '100000 chunks to an unknown path', bytes: oneByteChunks('/', 100_000), status: 404, message: /^Not Found$/, heavy: MANY },
  {
    name: '100000 chunks to a probe',
    bytes: oneByteChunks('/v2/health/live', 100_000),
    status: 405,
    message: /^Method Not Allowed$/,
    heavy: MANY,
  },
  {
    name: '100000 chunks to the server metadata',
    bytes: oneByteChunks('/v2', 100_000),
    status: 405,
    message: /^Method Not Allowed$/,
    heavy: MANY,
  },
  {
    name: '100000 chunks of a byte under gzip',
    bytes: () => Buffer.from(`${HEAD}Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n${'1\r\nA\r\n'.repeat(100_000)}0\r\n\r\n`),
    message: TOO_MANY,
    heavy: MANY,
  },
];

const chunks: readonly Raw[] = [
  { name: 'a chunk size that is no number', bytes: `${CHUNKED}xyz\r\nabc\r\n0\r\n\r\n` },
  { name: 'a negative chunk size', bytes: `${CHUNKED}-1\r\nabc\r\n0\r\n\r\n` },
  { name: 'a chunk size with 0x', bytes: `${CHUNKED}0x3\r\nabc\r\n0\r\n\r\n` },
  { name: 'a chunk size of 2^64', bytes: `${CHUNKED}10000000000000000\r\nabc\r\n0\r\n\r\n` },
  { name: 'a chunk size of 40 digits', bytes: `${CHUNKED}${'f'.repeat(40)}\r\nabc\r\n0\r\n\r\n` },
  { name: 'an empty chunk size', bytes: `${CHUNKED}\r\nabc\r\n0\r\n\r\n` },
  { name: 'a chunk longer than its size', bytes: `${CHUNKED}3\r\nabcdef\r\n0\r\n\r\n` },
  { name: 'a chunk size ended by a bare line feed', bytes: `${CHUNKED}3\nabc\r\n0\r\n\r\n` },
  { name: 'a chunk ended by a bare carriage return', bytes: `${CHUNKED}3\r\nabc\r0\r\n\r\n` },
  { name: 'a chunk size with a space before it', bytes: `${CHUNKED} 3\r\nabc\r\n0\r\n\r\n` },
  {
    name: 'a chunk extension of 20 kB',
    bytes: `${CHUNKED}3;${'x'.repeat(20_000)}\r\nabc\r\n0\r\n\r\n`,
    message: /^the chunk extensions are larger/,
  },
  {
    name: '4000 chunks with extensions of 50 bytes, which are no JSON',
    bytes: () => Buffer.from(`${CHUNKED}${`1;${'x'.repeat(50)}\r\nA\r\n`.repeat(4000)}0\r\n\r\n`),
    message: /^JSON at byte 0/,
  },
  { name: 'a chunk extension with a control character', bytes: `${CHUNKED}3;a=\x01\r\nabc\r\n0\r\n\r\n` },
  { name: 'a trailer that is no header', bytes: `${CHUNKED}3\r\nabc\r\n0\r\nbad trailer\r\n\r\n` },
  {
    name: 'trailers of 20 kB',
    bytes: `${CHUNKED}3\r\nabc\r\n0\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
    status: 431,
    message: /^the request headers are larger/,
  },
  { name: 'an empty chunked body', bytes: `${CHUNKED}0\r\n\r\n`, message: /^JSON at byte 0: found the end/ },
  {
    name: 'chunks over the limit, one after the other',
    bytes: () => Buffer.from(`${CHUNKED}${`10000\r\n${' '.repeat(65_536)}\r\n`.repeat(17)}0\r\n\r\n`),
    message: new RegExp(`^the body is larger than the limit of ${SMALL_LIMIT} bytes$`),
    small: true,
    heavy: 'a megabyte',
  },
  {
    name: 'one chunk that promises 2^63 bytes and brings a limit and a bit',
    bytes: () => Buffer.concat([Buffer.from(`${CHUNKED}7fffffffffffffff\r\n`), Buffer.alloc(SMALL_LIMIT + 65_536, 32)]),
    message: new RegExp(`^the body is larger than the limit of ${SMALL_LIMIT} bytes$`),
    small: true,
    heavy: 'a megabyte',
  },
];

const tooLarge = (bytes: number | string): RegExp => new RegExp(`^the body has ${bytes} bytes; the limit is ${DEFAULT_LIMIT}$`);

const lengths: readonly Raw[] = [
  {
    name: 'a length one byte over the limit',
    bytes: `${HEAD}Content-Length: ${DEFAULT_LIMIT + 1}\r\n\r\n`,
    message: tooLarge(DEFAULT_LIMIT + 1),
  },
  { name: 'a length of 2^31', bytes: `${HEAD}Content-Length: ${2 ** 31}\r\n\r\n`, message: tooLarge(2 ** 31) },
  { name: 'a length of 2^32', bytes: `${HEAD}Content-Length: ${2 ** 32}\r\n\r\n`, message: tooLarge(2 ** 32) },
  {
    name: 'a length of 2^53 + 1',
    bytes: `${HEAD}Content-Length: 9007199254740993\r\n\r\n`,
    message: /^the body has 900719925474099\d bytes; the limit/,
  },
  {
    name: 'a length of 2^63 - 1',
    bytes: `${HEAD}Content-Length: 9223372036854775807\r\n\r\n`,
    message: /^the body has 922337203685477\d+ bytes/,
  },
  {
    name: 'a length of 2^63',
    bytes: `${HEAD}Content-Length: 9223372036854775808\r\n\r\n`,
    message: /^the body has 922337203685477\d+ bytes/,
  },
  { name: 'a length of 2^64', bytes: `${HEAD}Content-Length: 18446744073709551616\r\n\r\n` },
  { name: 'a length of 100 digits', bytes: `${HEAD}Content-Length: ${'9'.repeat(100)}\r\n\r\n` },
  { name: 'a negative length', bytes: `${HEAD}Content-Length: -1\r\n\r\n` },
  { name: 'a length with a plus sign', bytes: `${HEAD}Content-Length: +5\r\n\r\n12345` },
  { name: 'a length in hexadecimal', bytes: `${HEAD}Content-Length: 0x5\r\n\r\n12345` },
  { name: 'a length with an exponent', bytes: `${HEAD}Content-Length: 1e1\r\n\r\n1234567890` },
  { name: 'a length of two words', bytes: `${HEAD}Content-Length: 5 5\r\n\r\n12345` },
  { name: 'a list of lengths', bytes: `${HEAD}Content-Length: 5, 5\r\n\r\n12345` },
  { name: 'an empty length', bytes: `${HEAD}Content-Length:\r\n\r\n` },
  { name: 'no length and no chunks', bytes: `${HEAD}\r\n`, message: /^JSON at byte 0: found the end/ },
  {
    name: 'a length over the limit that asks to go on first',
    bytes: `${HEAD}Expect: 100-continue\r\nContent-Length: ${DEFAULT_LIMIT + 1}\r\n\r\n`,
    message: tooLarge(DEFAULT_LIMIT + 1),
  },
  {
    name: 'an expectation that nobody knows, and a body that is no request',
    bytes: `${HEAD}Expect: 200-maybe\r\nContent-Length: 2\r\n\r\n{}`,
    message: /^inputs: found nothing/,
  },
  {
    name: 'a limit and a byte, really sent',
    bytes: () => Buffer.concat([Buffer.from(`${HEAD}Content-Length: ${SMALL_LIMIT + 1}\r\n\r\n`), Buffer.alloc(SMALL_LIMIT + 1, 32)]),
    message: new RegExp(`^the body has ${SMALL_LIMIT + 1} bytes; the limit is ${SMALL_LIMIT}$`),
    small: true,
    heavy: 'a megabyte',
  },
];

const withBody = (headers: string, body = GOOD): string => `${HEAD}${headers}\r\n\r\n${body}`;

const ambiguous: readonly Raw[] = [
  { name: 'both a length and chunks', bytes: withBody('Content-Length: 6\r\nTransfer-Encoding: chunked', '0\r\n\r\nG') },
  { name: 'both chunks and a length', bytes: withBody('Transfer-Encoding: chunked\r\nContent-Length: 6', '0\r\n\r\nG') },
  { name: 'two lengths that differ', bytes: withBody('Content-Length: 5\r\nContent-Length: 6', '123456') },
  { name: 'two lengths that agree', bytes: withBody('Content-Length: 5\r\nContent-Length: 5', '12345') },
  { name: 'a transfer encoding that nobody knows', bytes: withBody('Transfer-Encoding: cow', '') },
  { name: 'chunked hidden by a vertical tab', bytes: withBody('Transfer-Encoding: \x0bchunked', '0\r\n\r\n') },
  { name: 'chunked that is not the last encoding', bytes: withBody('Transfer-Encoding: chunked, identity', '0\r\n\r\n') },
  { name: 'chunked twice', bytes: withBody('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity', '0\r\n\r\n') },
  { name: 'a space before the colon', bytes: withBody('Transfer-Encoding : chunked', '0\r\n\r\n') },
  { name: 'a folded header', bytes: withBody('X-Folded: a\r\n b\r\nContent-Length: 0', '') },
  { name: 'a header that begins with a space', bytes: withBody(' Content-Length: 0', '') },
  { name: 'a header line without a colon', bytes: withBody('Content-Length 5\r\nContent-Length: 0', '') },
  { name: 'an empty header name', bytes: withBody(': value\r\nContent-Length: 0', '') },
  { name: 'a header name with a NUL', bytes: withBody('X\x00Y: 1\r\nContent-Length: 0', '') },
  { name: 'a header value with a NUL', bytes: withBody('X: a\x00b\r\nContent-Length: 0', '') },
  { name: 'a header name with a quote', bytes: withBody('X"Y: 1\r\nContent-Length: 0', '') },
  { name: 'a bare carriage return in a header', bytes: withBody('X: a\rb\r\nContent-Length: 0', '') },
  { name: 'a header block ended by CR CR X', bytes: `${HEAD}Content-Length: 0\r\n\r\rXGET / HTTP/1.1\r\n\r\n` },
  { name: 'lines ended by bare line feeds', bytes: `POST ${PATH} HTTP/1.1\nHost: test\nContent-Length: 0\n\n`, message: MALFORMED },
  // node:http answers this one itself, without a body.
  { name: 'no host', bytes: `POST ${PATH} HTTP/1.1\r\nContent-Length: 0\r\n\r\n`, message: NOTHING },
  {
    name: 'headers of 20 kB',
    bytes: withBody(`X: ${'x'.repeat(20_000)}\r\nContent-Length: 0`, ''),
    status: 431,
    message: /^the request headers are larger/,
  },
  {
    name: 'a header that counts, behind 3000 that do not',
    bytes: withBody(`${'X: 1\r\n'.repeat(3000)}Inference-Header-Content-Length: no\r\nContent-Length: 0`, ''),
    message: /^Inference-Header-Content-Length is 'no'/,
  },
  { name: 'HTTP/2 spoken to the HTTP/1.1 port', bytes: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' },
  { name: 'a version of HTTP that does not exist', bytes: `POST ${PATH} HTTP/9.9\r\nHost: test\r\n\r\n` },
  {
    name: '20000 headers',
    bytes: withBody(`${'X: 1\r\n'.repeat(20_000)}Content-Length: 0`, ''),
    status: 431,
    message: /^the request headers are larger/,
  },
  { name: 'HTTP/0.9', bytes: `GET ${PATH}\r\n\r\n`, status: 405, message: /^Method Not Allowed$/ },
  { name: 'a TLS greeting', bytes: Buffer.from('1603010200010001fc0303', 'hex') },
  { name: 'binary noise', bytes: Buffer.from(Array.from({ length: 512 }, (_, index) => (index * 167 + 13) % 256)) },
  { name: 'a request line that never gets a method', bytes: `${'x'.repeat(100)} / HTTP/1.1\r\n\r\n` },
  {
    name: 'an upgrade to a protocol that nobody knows',
    bytes: `${HEAD}Connection: Upgrade\r\nUpgrade: nothing\r\nContent-Length: 2\r\n\r\n{}`,
    message: /^inputs: found nothing/,
  },
  { name: 'a tunnel', bytes: `CONNECT internal:80 HTTP/1.1\r\nHost: test\r\n\r\n`, status: CLOSED, message: NOTHING },
];

export const httpFramingCases: readonly BadCase[] = [
  ...manyChunks.map(raw('H1')),
  ...chunks.map(raw('H1')),
  ...lengths.map(raw('H8')),
  ...ambiguous.map(raw('H11')),
];
