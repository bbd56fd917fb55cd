/** What HTTP clients may send, well-formed and not, as bytes: for comparing the answers of front ends. */
import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { jsonRequest } from '../support/protocols.js';
import type { RawExchange } from '../support/raw-http.js';
import { binaryRequest, bytes, fp32, int32, int64 } from '../support/tensors.js';

export interface CorpusExchange extends RawExchange {
  readonly title: string;
}

/** Servers must be started with this limit. */
export const MAX_REQUEST_BYTES = 1024 * 1024;

const row = Array.from({ length: 16 }, (_, i) => i);
const inputs = [int32('INPUT0', [1, 16], row), int32('INPUT1', [1, 16], row)];
const JSON_BODY = jsonRequest({ model: 'add_sub', inputs });
const JSON_WITH_ID = jsonRequest({ model: 'add_sub', id: 'Grüße "1"', inputs, outputs: ['OUTPUT1'] });
const BINARY = binaryRequest(inputs, { id: 'b', parameters: { binary_data_output: true } });
const MIXED = binaryRequest(inputs, {
  outputs: [
    { name: 'OUTPUT0', parameters: { binary_data: true } },
    { name: 'OUTPUT1', parameters: { binary_data: false } },
  ],
});
const FLOATS = fp32('INPUT0', [1, 3], [1, 2, 3]).raw;
const LARGE = fp32('INPUT0', [1, 60_000], Array<number>(60_000).fill(0.5)).raw;
/** Numbers with few repetitions, so that compressed answers are large, too. */
const VARIED = fp32(
  'INPUT0',
  [1, 250_000],
  Array.from({ length: 250_000 }, (_, i) => Math.sin(i * i) * (i % 1000)),
).raw;
const INFER = '/v2/models/add_sub/infer';
const RAW = { 'Inference-Header-Content-Length': '0' };

type Fields = Readonly<Record<string, string>> | readonly string[];

function lines(fields: Fields): string {
  const list = Array.isArray(fields) ? (fields as readonly string[]) : Object.entries(fields).map(([name, value]) => `${name}: ${value}`);
  return list.map((line) => `${line}\r\n`).join('');
}

function head(start: string, fields: Fields = {}): Buffer {
  return Buffer.from(`${start}\r\nHost: x\r\n${lines(fields)}\r\n`, 'latin1');
}

function post(body: Buffer | string, fields: Fields = {}, target = INFER): Buffer {
  const content = Buffer.from(body);
  const own = [`Content-Length: ${content.length}`];
  return Buffer.concat([head(`POST ${target} HTTP/1.1`, [...own, ...lines(fields).split('\r\n').slice(0, -1)]), content]);
}

/** With these fields only; none of the length. */
function bare(fields: Fields, body: Buffer | string = JSON_BODY, target = INFER): Buffer {
  return Buffer.concat([head(`POST ${target} HTTP/1.1`, fields), Buffer.from(body)]);
}

function chunked(body: Buffer | string, size: number, { extension = '', trailer = '' } = {}): Buffer {
  const content = Buffer.from(body);
  const chunks: Buffer[] = [];
  for (let at = 0; at < content.length; at += size) {
    const chunk = content.subarray(at, at + size);
    chunks.push(Buffer.from(`${chunk.length.toString(16)}${extension}\r\n`), chunk, Buffer.from('\r\n'));
  }
  return Buffer.concat([...chunks, Buffer.from(`0\r\n${trailer}\r\n`)]);
}

const CHUNKED = { 'Transfer-Encoding': 'chunked' };
const text = (raw: string): Buffer => Buffer.from(raw, 'latin1');
const get = (target: string, fields: Fields = {}): Buffer => head(`GET ${target} HTTP/1.1`, fields);

function one(title: string, send: Buffer | readonly Buffer[], more: Partial<RawExchange> = {}): CorpusExchange {
  return { title, send: Buffer.isBuffer(send) ? [send] : send, answers: 1, ...more };
}

/** In pieces of `size` bytes. */
function pieces(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
}

const answered: readonly CorpusExchange[] = [
  one('JSON', post(JSON_BODY)),
  one('JSON with an id and one output', post(JSON_WITH_ID)),
  one('binary tensors', post(BINARY.body, { 'Inference-Header-Content-Length': String(BINARY.jsonBytes) })),
  one('one binary output and one in JSON', post(MIXED.body, { 'Inference-Header-Content-Length': String(MIXED.jsonBytes) })),
  one('a raw binary request', post(FLOATS, RAW, '/v2/models/identity_fp32/infer')),
  one('a large raw binary request', post(LARGE, RAW, '/v2/models/identity_fp32/infer')),
  one(
    'text',
    post(jsonRequest({ model: 'echo_text', inputs: [bytes('text', [1, 1], ['日本語 "\\ \u2028'])] }), {}, '/v2/models/echo_text/infer'),
  ),
  one('a version in the path', post(JSON_BODY, {}, '/v2/models/add_sub/versions/1/infer')),
  one('a percent-encoded model', post(JSON_BODY, {}, '/v2/models/add%5Fsub/infer')),
  one('a query', post(JSON_BODY, {}, `${INFER}?a=b?c`)),
  one('an absolute target', post(JSON_BODY, {}, `http://x:1${INFER}`)),
  one('names of fields in capitals', bare({ 'CONTENT-LENGTH': String(JSON_BODY.length), 'CONTENT-TYPE': 'x/y' })),
  one('white space around values', bare([`Content-Length:\t ${JSON_BODY.length} \t`])),
  one('a body of type octet-stream', post(JSON_BODY, { 'Content-Type': 'application/octet-stream' })),
  one('fields of no meaning', post(JSON_BODY, { Accept: '*/*', 'User-Agent': 'a b', Cookie: 'c=d; e', 'X-Y': '\u00ff', TE: 'trailers' })),
  one('200 fields', post(JSON_BODY, Object.fromEntries(row.flatMap((i) => row.map((j) => [`X-${i}-${j}`, 'y'] as const)).slice(0, 200)))),
  one('an empty value', post(JSON_BODY, { 'X-Y': '' })),
  one('an identity encoding', post(JSON_BODY, { 'Content-Encoding': 'identity' })),
  one('a body in gzip', post(gzipSync(JSON_BODY), { 'Content-Encoding': 'gzip' })),
  one('a body in deflate', post(deflateSync(JSON_BODY), { 'Content-Encoding': 'deflate' })),
  ...['gzip', 'deflate', 'gzip;q=0', 'identity', '*', 'br', 'gzip, deflate, br, zstd', 'identity;q=0.5, gzip;q=1', ''].map((accepted) =>
    one(`Accept-Encoding: ${accepted}`, post(JSON_BODY, { 'Accept-Encoding': accepted })),
  ),
  ...['gzip', 'deflate'].flatMap((accepted) => {
    const compressed = { 'Accept-Encoding': accepted };
    const floats = (name: string, raw: Buffer): CorpusExchange =>
      one(`${name} in ${accepted}`, post(raw, { ...RAW, ...compressed }, '/v2/models/identity_fp32/infer'));
    return [
      one(
        `binary tensors in ${accepted}`,
        post(BINARY.body, { ...compressed, 'Inference-Header-Content-Length': String(BINARY.jsonBytes) }),
      ),
      one(`mixed outputs in ${accepted}`, post(MIXED.body, { ...compressed, 'Inference-Header-Content-Length': String(MIXED.jsonBytes) })),
      one(`an error where ${accepted} is accepted`, post('{}', compressed)),
      one(`${accepted} at the end`, post(JSON_BODY, { ...compressed, Connection: 'close' })),
      floats('a large answer of one number', LARGE),
      floats('a large answer', VARIED),
      // Around the pieces that are compressed at a time.
      ...[16_200, 16_384, 32_768, 49_000].map((count) => floats(`an answer of ${count} numbers`, VARIED.subarray(0, 4 * count))),
    ];
  }),
  one('two fields Accept-Encoding', post(JSON_BODY, ['Accept-Encoding: identity', 'Accept-Encoding: gzip'])),
  one('chunks', Buffer.concat([head(`POST ${INFER} HTTP/1.1`, CHUNKED), chunked(JSON_BODY, 50)])),
  one('chunks with a trailer', Buffer.concat([head(`POST ${INFER} HTTP/1.1`, CHUNKED), chunked(JSON_BODY, 50, { trailer: 'A: b\r\n' })])),
  one('chunks with extensions', Buffer.concat([head(`POST ${INFER} HTTP/1.1`, CHUNKED), chunked(JSON_BODY, 50, { extension: ';a=b' })])),
  ...(
    [
      ['extensions of several names', { extension: ';a;b=c;d=' + 'e'.repeat(100) }],
      ['extensions in quotes', { extension: ';a="b;c"' }],
      ['extensions of 2000 characters', { extension: `;a=${'b'.repeat(2000)}` }],
      ['extensions of 17000 characters', { extension: `;a=${'b'.repeat(17_000)}` }],
      ['an extension without a name', { extension: ';' }],
      ['white space before an extension', { extension: ' ;a' }],
      ['trailers', { trailer: 'A: b\r\nC:\r\n' }],
      ['trailers of 15 KiB', { trailer: `A: ${'b'.repeat(15 * 1024)}\r\n` }],
      ['trailers of 17 KiB', { trailer: `A: ${'b'.repeat(17 * 1024)}\r\n` }],
      ['a length as a trailer', { trailer: 'Content-Length: 5\r\n' }],
      ['an encoding as a trailer', { trailer: 'A: b\r\nTransfer-Encoding: chunked\r\n' }],
      ['an end of the connection as a trailer', { trailer: 'Connection: close\r\n' }],
      ['an upgrade as a trailer', { trailer: 'Upgrade: x\r\nConnection: upgrade\r\n' }],
      ['a folded trailer', { trailer: 'A: b\r\n c\r\n' }],
      ['white space in a trailer', { trailer: 'A : b\r\n' }],
    ] as const
  ).map(([name, more]) =>
    one(`chunks with ${name}`, Buffer.concat([head(`POST ${INFER} HTTP/1.1`, CHUNKED), chunked(JSON_BODY, 50, more)])),
  ),
  one('chunks of one byte', bare(CHUNKED, chunked(JSON_BODY, 1))),
  one('chunks in pieces', pieces(bare(CHUNKED, chunked(JSON_BODY, 50)), 37)),
  one(
    'chunks of binary tensors',
    bare({ ...CHUNKED, 'Inference-Header-Content-Length': String(BINARY.jsonBytes) }, chunked(BINARY.body, 99)),
  ),
  one('large chunks', bare({ ...CHUNKED, ...RAW }, chunked(LARGE, 100_000), '/v2/models/identity_fp32/infer')),
  one('chunks with leading zeros', bare(CHUNKED, `000000000000000000${chunked(JSON_BODY, 1000).toString()}`)),
  one('chunks for who waits for 100', [head(`POST ${INFER} HTTP/1.1`, { ...CHUNKED, Expect: '100-continue' }), chunked(JSON_BODY, 50)]),
  one('chunks and a trailer that is announced', bare({ ...CHUNKED, Trailer: 'A' }, chunked(JSON_BODY, 50, { trailer: 'A: b\r\n' }))),
  ...(['gzip', 'deflate'] as const).flatMap((encoding) => {
    const compress = encoding === 'gzip' ? gzipSync : deflateSync;
    const encoded = { 'Content-Encoding': encoding };
    const large = compress(VARIED);
    return [
      one(`a body in ${encoding}, answered in it`, post(compress(JSON_BODY), { ...encoded, 'Accept-Encoding': encoding })),
      one(`a large body in ${encoding}`, post(large, { ...RAW, ...encoded }, '/v2/models/identity_fp32/infer')),
      one(`a large body in ${encoding} in pieces`, pieces(post(large, { ...RAW, ...encoded }, '/v2/models/identity_fp32/infer'), 70_001)),
      one(`chunks in ${encoding}`, bare({ ...CHUNKED, ...encoded }, chunked(compress(JSON_BODY), 7))),
      one(`a zero byte behind ${encoding}`, post(Buffer.concat([compress(JSON_BODY), Buffer.alloc(3)]), encoded)),
      one(`other bytes behind ${encoding}`, post(Buffer.concat([compress(JSON_BODY), Buffer.from('abc')]), encoded)),
      one(`the same twice behind each other in ${encoding}`, post(Buffer.concat([compress('{'), compress(JSON_BODY.slice(1))]), encoded)),
      one(`a body in ${encoding} that is not what it is for`, post(compress('{}'), encoded)),
      one(`a body in ${encoding} for an unknown model`, post(compress(JSON_BODY), encoded, '/v2/models/nobody/infer')),
    ];
  }),
  ...['GZIP', 'identity, gzip', 'gzip,', '', ',', 'x-gzip', 'gzip, gzip', 'gzip, deflate'].map((encoding) =>
    one(`Content-Encoding: ${encoding}`, post(gzipSync(JSON_BODY), { 'Content-Encoding': encoding })),
  ),
  one('two fields Content-Encoding', post(gzipSync(JSON_BODY), ['Content-Encoding: identity', 'Content-Encoding: gzip'])),
  one('Expect: 100-continue', post(JSON_BODY, { Expect: '100-continue' })),
  one('Expect: 100-continue, the body after a while', [
    head(`POST ${INFER} HTTP/1.1`, { Expect: '100-continue', 'Content-Length': String(JSON_BODY.length) }),
    Buffer.from(JSON_BODY),
  ]),
  one('an unknown expectation', post(JSON_BODY, { Expect: 'the-best' })),
  one('Connection: close', post(JSON_BODY, { Connection: 'close' })),
  one('Connection: keep-alive', post(JSON_BODY, { Connection: 'keep-alive' })),
  one('Connection: x, Close', post(JSON_BODY, { Connection: 'x, Close' })),
  one('HTTP/1.0', text(`POST ${INFER} HTTP/1.0\r\nContent-Length: ${JSON_BODY.length}\r\n\r\n${JSON_BODY}`)),
  one(
    'HTTP/1.0 with keep-alive',
    text(`POST ${INFER} HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: ${JSON_BODY.length}\r\n\r\n${JSON_BODY}`),
  ),
  one('an empty line before the request', Buffer.concat([text('\r\n'), post(JSON_BODY)])),
];

const sequences: readonly CorpusExchange[] = [
  one('three requests at once', Buffer.concat([post(JSON_BODY), post(JSON_WITH_ID), post(JSON_BODY)]), { answers: 3 }),
  one('thirty requests at once', Buffer.concat(Array<Buffer>(30).fill(post(JSON_BODY))), { answers: 30 }),
  one(
    'a document between inferences, at once',
    Buffer.concat([post(JSON_BODY), get('/v2'), post(JSON_WITH_ID), get('/v2/models/digits')]),
    {
      answers: 4,
    },
  ),
  one('a document between inferences, in turn', [post(JSON_BODY), get('/v2'), post(JSON_WITH_ID), get('/nowhere'), post(JSON_BODY)], {
    answers: 5,
  }),
  one(
    'chunks between inferences',
    Buffer.concat([post(JSON_BODY), head(`POST ${INFER} HTTP/1.1`, CHUNKED), chunked(JSON_BODY, 9), post(JSON_BODY)]),
    {
      answers: 3,
    },
  ),
  one(
    'compressed bodies between inferences',
    Buffer.concat([
      post(gzipSync(JSON_BODY), { 'Content-Encoding': 'gzip' }),
      post('abc', { 'Content-Encoding': 'gzip' }),
      bare({ ...CHUNKED, 'Content-Encoding': 'deflate' }, chunked(deflateSync(JSON_WITH_ID), 9)),
      post(JSON_BODY),
    ]),
    { answers: 4 },
  ),
  one(
    'chunks with an odd extension between inferences',
    Buffer.concat([post(JSON_BODY), bare(CHUNKED, chunked(JSON_BODY, 9, { extension: ';a="b"' })), post(JSON_BODY)]),
    { answers: 3 },
  ),
  one('a refusal between inferences', Buffer.concat([post(JSON_BODY), post('{}'), post(JSON_WITH_ID)]), { answers: 3 }),
  one('a document, closing, before an inference', Buffer.concat([get('/v2', { Connection: 'close' }), post(JSON_BODY)])),
  one('a head in pieces', [...pieces(post(JSON_BODY).subarray(0, 60), 12), post(JSON_BODY).subarray(60)]),
  one('a body in pieces', pieces(post(JSON_BODY), 100)),
  one('the last byte late', [post(JSON_BODY).subarray(0, -1), post(JSON_BODY).subarray(-1)]),
  one(
    'two requests, cut in the middle of the second',
    [Buffer.concat([post(JSON_BODY), post(JSON_WITH_ID).subarray(0, 70)]), post(JSON_WITH_ID).subarray(70)],
    { answers: 2 },
  ),
];

const DOCUMENTS = [
  '/v2', '/v2/', '/v2/health/live', '/v2/health/ready', '/v2/models/digits', '/v2/models/digits/versions/1', '/v2/models/digits/ready',
  '/v2/models/digits/versions/2/ready', '/v2/models/digits/config', '/v2/models/digits/versions/1/config', '/v2/models/nobody',
  '/v2/models/nobody/ready', '/v2/models/digits/versions/9', '/v2/models/digits/versions/latest', '/v2/models', '/v2/models/', '/v2/models/stats',
  '/v2/models/digits/stats', '/v2/models/%zz', '/v2/models/a%00b', '/v2/repository/index', '/v2/logging', '/v2/trace/setting',
  '/v2/systemsharedmemory/status', '/health', '/healthz', '/livez', '/ready', '/readyz', '/startup', '/startupz', '/', '/metrics', '/v1',
  '*', '//v2', '/v2?x', '/v2#x', 'http://x/v2', 'http://x', '/%76%32', INFER,
]; // prettier-ignore

const documents: readonly CorpusExchange[] = [
  ...DOCUMENTS.map((path) => one(`GET ${path}`, get(path))),
  ...['/v2', '/ready', '/v2/models/nobody', INFER].map((path) => one(`HEAD ${path}`, head(`HEAD ${path} HTTP/1.1`), { bodiless: [0] })),
  ...['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND'].map((verb) =>
    one(`${verb} of an inference`, head(`${verb} ${INFER} HTTP/1.1`)),
  ),
  one('POST of a document', post(JSON_BODY, {}, '/v2')),
  one('POST of statistics', post('', {}, '/v2/models/digits/stats')),
  one('POST of a route that is not offered', post('{}', {}, '/v2/repository/index')),
  one('OPTIONS *', head('OPTIONS * HTTP/1.1')),
  one('GET with a body', Buffer.concat([get('/v2', { 'Content-Length': '5' }), text('12345')])),
  one('GET with a body in chunks', Buffer.concat([get('/v2', CHUNKED), chunked('12345', 2)])),
  one('GET in gzip', get('/v2', { 'Accept-Encoding': 'gzip' })),
];

const refused: readonly CorpusExchange[] = [
  one('no body', post('')),
  one('no length and no body', head(`POST ${INFER} HTTP/1.1`)),
  one('no JSON', post('{"inputs":')),
  one('JSON that is no object', post('[]')),
  one('no inputs', post('{}')),
  one('not UTF-8', post(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))),
  one('an unknown model', post(JSON_BODY, {}, '/v2/models/nobody/infer')),
  one('an unknown version', post(JSON_BODY, {}, '/v2/models/add_sub/versions/9/infer')),
  one('a version that is no number', post(JSON_BODY, {}, '/v2/models/add_sub/versions/latest/infer')),
  one('no model', post(JSON_BODY, {}, '/v2/models//infer')),
  one('one segment more', post(JSON_BODY, {}, `${INFER}/x`)),
  one('a slash more', post(JSON_BODY, {}, `${INFER}/`)),
  one('a model name in broken percent', post(JSON_BODY, {}, '/v2/models/%zz/infer')),
  one('a model name in broken UTF-8', post(JSON_BODY, {}, '/v2/models/%ff/infer')),
  one('a model name with quotes', post(JSON_BODY, {}, '/v2/models/%22%5C%0A%E2%80%A8/infer')),
  one('a wrong data type', post(jsonRequest({ model: 'add_sub', inputs: [fp32('INPUT0', [1, 16], row), int32('INPUT1', [1, 16], row)] }))),
  one(
    'a wrong shape',
    post(jsonRequest({ model: 'add_sub', inputs: [int32('INPUT0', [1, 4], [1, 2, 3, 4]), int32('INPUT1', [1, 16], row)] })),
  ),
  one('a missing input', post(jsonRequest({ model: 'add_sub', inputs: inputs.slice(1) }))),
  one(
    'a number beyond its type',
    post(
      jsonRequest({ model: 'identity_fp32', inputs: [fp32('INPUT0', [1, 1], [1])] }).replace('[1]}', '[1e99]}'),
      {},
      '/v2/models/identity_fp32/infer',
    ),
  ),
  one(
    'a model that fails',
    post(jsonRequest({ model: 'fails_at_run', inputs: [int64('INPUT0', [1, 1], [9n])] }), {}, '/v2/models/fails_at_run/infer'),
  ),
  ...['abc', '-1', '1.5', '0x10', '99999', '18446744073709551616', '', '1, 2'].map((length) =>
    one(`Inference-Header-Content-Length: ${length}`, post(BINARY.body, { 'Inference-Header-Content-Length': length })),
  ),
  one(
    'two fields Inference-Header-Content-Length',
    post(FLOATS, ['Inference-Header-Content-Length: 0', 'Inference-Header-Content-Length: 0'], '/v2/models/identity_fp32/infer'),
  ),
  one('an unknown encoding', post(JSON_BODY, { 'Content-Encoding': 'br' })),
  one('an unknown encoding, the body late', [
    post(JSON_BODY, { 'Content-Encoding': 'br' }).subarray(0, -200),
    Buffer.from(JSON_BODY).subarray(-200),
  ]),
  one('broken gzip', post(Buffer.from(JSON_BODY), { 'Content-Encoding': 'gzip' })),
  ...Array.from({ length: 12 }, (_, i) =>
    one(`gzip cut off after ${i * 10} bytes`, post(gzipSync(JSON_BODY).subarray(0, i * 10), { 'Content-Encoding': 'gzip' })),
  ),
  ...Array.from({ length: 12 }, (_, i) => {
    const broken = gzipSync(JSON_BODY);
    broken[i * 12] = 255 - (broken[i * 12] ?? 0);
    return one(`gzip with byte ${i * 12} changed`, post(broken, { 'Content-Encoding': 'gzip' }));
  }),
  ...[0, 1, 2, 20, 60, 90].map((at) => {
    const broken = deflateSync(JSON_BODY);
    broken[at] = 255 - (broken[at] ?? 0);
    return one(`deflate with byte ${at} changed`, post(broken, { 'Content-Encoding': 'deflate' }));
  }),
  one('deflate without its frame', post(deflateRawSync(JSON_BODY), { 'Content-Encoding': 'deflate' })),
  one('deflate with a dictionary', post(deflateSync(JSON_BODY, { dictionary: Buffer.from('"name"') }), { 'Content-Encoding': 'deflate' })),
  one('a body of deflate in gzip', post(deflateSync(JSON_BODY), { 'Content-Encoding': 'gzip' })),
  one('a bomb in gzip', post(gzipSync(Buffer.alloc(50 * MAX_REQUEST_BYTES)), { 'Content-Encoding': 'gzip' })),
  one(
    'a bomb in deflate, in chunks',
    bare({ ...CHUNKED, 'Content-Encoding': 'deflate' }, chunked(deflateSync(Buffer.alloc(50 * MAX_REQUEST_BYTES)), 1000)),
  ),
  one('gzip cut off', post(gzipSync(JSON_BODY).subarray(0, -9), { 'Content-Encoding': 'gzip' })),
  one('gzip beyond the limit', post(gzipSync(Buffer.alloc(MAX_REQUEST_BYTES + 1)), { 'Content-Encoding': 'gzip' })),
  one('a body beyond the limit, never sent', head(`POST ${INFER} HTTP/1.1`, { 'Content-Length': String(MAX_REQUEST_BYTES + 1) })),
  one('a body beyond the limit', post(Buffer.alloc(MAX_REQUEST_BYTES + 1, ' '))),
  one('a body of the limit', post(Buffer.concat([Buffer.from(JSON_BODY), Buffer.alloc(MAX_REQUEST_BYTES - JSON_BODY.length, ' ')]))),
  one(
    'chunks beyond the limit',
    Buffer.concat([head(`POST ${INFER} HTTP/1.1`, CHUNKED), chunked(Buffer.alloc(MAX_REQUEST_BYTES + 1, ' '), 100_000)]),
  ),
  one(
    'Expect: 100-continue for too large a body',
    head(`POST ${INFER} HTTP/1.1`, { Expect: '100-continue', 'Content-Length': String(MAX_REQUEST_BYTES + 1) }),
  ),
];

const LENGTH = JSON_BODY.length;
const malformed: readonly CorpusExchange[] = [
  ...[
    'abc',
    `+${LENGTH}`,
    `-${LENGTH}`,
    `${LENGTH}, ${LENGTH}`,
    `${LENGTH} ${LENGTH}`,
    `0x${LENGTH}`,
    `${LENGTH}.0`,
    '',
    '18446744073709551616',
  ].map((length) => one(`Content-Length: ${length}`, bare([`Content-Length: ${length}`]))),
  one('two lengths that agree', bare([`Content-Length: ${LENGTH}`, `Content-Length: ${LENGTH}`])),
  one('two lengths that differ', bare([`Content-Length: ${LENGTH}`, 'Content-Length: 1'])),
  one('a length with leading zeros', bare([`Content-Length: 000${LENGTH}`])),
  one('a length and chunks', bare([`Content-Length: ${LENGTH}`, 'Transfer-Encoding: chunked'], chunked(JSON_BODY, 50))),
  ...['gzip, chunked', 'identity', 'chunked, chunked', 'chunked, identity', 'xchunked', 'Chunked', ' chunked', '\x0bchunked'].map(
    (coding) => one(`Transfer-Encoding: ${coding}`, bare([`Transfer-Encoding: ${coding}`], chunked(JSON_BODY, 50))),
  ),
  ...['g', '-1', '', '1 ', '0x1', 'ffffffffffffffffff'].flatMap((size) => [
    one(`a chunk of size "${size}"`, bare(['Transfer-Encoding: chunked'], `${size}\r\n{\r\n0\r\n\r\n`)),
    one(`a second chunk of size "${size}"`, bare(['Transfer-Encoding: chunked'], `1\r\n{\r\n${size}\r\n}\r\n0\r\n\r\n`)),
    one(`a second chunk of size "${size}" after a while`, [
      bare(['Transfer-Encoding: chunked'], '1\r\n{\r'),
      text(`\n${size}\r\n}\r\n0\r\n\r\n`),
    ]),
  ]),
  one('chunks whose lines end without a carriage return', bare(CHUNKED, '1\r\n{\n1\n}\r\n0\r\n\r\n')),
  one('odd chunks of a body that is refused already', [
    bare(CHUNKED, chunked(Buffer.alloc(MAX_REQUEST_BYTES + 1, ' '), 100_000).subarray(0, -5)),
    text('x\r\n'),
  ]),
  one('a client that ends its side within a chunk', bare(CHUNKED, chunked(JSON_BODY, 50)).subarray(0, -9), { halfCloses: true }),
  one('a client that ends its side between chunks', bare(CHUNKED, chunked(JSON_BODY, 50)).subarray(0, -5), { halfCloses: true }),
  one('a client that ends its side within the line of a chunk', bare(CHUNKED, '5\r\nhello\r\n1'), { halfCloses: true }),
  one('a client that ends its side before the first chunk', bare(CHUNKED, ''), { halfCloses: true }),
  one('a chunk without its end', bare(['Transfer-Encoding: chunked'], '1\r\n{}\r\n0\r\n\r\n')),
  one('no Host', text(`POST ${INFER} HTTP/1.1\r\nContent-Length: ${LENGTH}\r\n\r\n${JSON_BODY}`)),
  one('no Host, a document', text('GET /v2 HTTP/1.1\r\n\r\n')),
  one('two Hosts', bare(['Host: y', `Content-Length: ${LENGTH}`])),
  one('an empty Host', text(`POST ${INFER} HTTP/1.1\r\nHost:\r\nContent-Length: ${LENGTH}\r\n\r\n${JSON_BODY}`)),
  one('lines that end without a carriage return', text(`POST ${INFER} HTTP/1.1\nHost: x\nContent-Length: ${LENGTH}\n\n${JSON_BODY}`)),
  one('one line that ends without a carriage return', bare([`A: b\nContent-Length: ${LENGTH}`])),
  one('a carriage return within a value', bare(['A: b\rc', `Content-Length: ${LENGTH}`])),
  one('white space before the colon', bare([`Content-Length : ${LENGTH}`])),
  one('white space before a name', bare([` Content-Length: ${LENGTH}`])),
  one('a folded value', bare([`A: b\r\n c`, `Content-Length: ${LENGTH}`])),
  one('a field without a colon', bare(['A', `Content-Length: ${LENGTH}`])),
  one('a field without a name', bare([': b', `Content-Length: ${LENGTH}`])),
  ...['\x00', '\x01', '\x7f', '\x80', '\t'].map((character) =>
    one(`character ${character.charCodeAt(0)} in a value`, bare([`A: b${character}c`, `Content-Length: ${LENGTH}`])),
  ),
  one('a character beyond ASCII in a name', bare(['\u00e4: b', `Content-Length: ${LENGTH}`])),
  one('a space in the target', post(JSON_BODY, {}, '/v2/models/add sub/infer')),
  one(
    'a character beyond ASCII in the target',
    text(`POST /v2/models/\u00e4/infer HTTP/1.1\r\nHost: x\r\nContent-Length: ${LENGTH}\r\n\r\n${JSON_BODY}`),
  ),
  one('two spaces in the request line', text(`POST  ${INFER} HTTP/1.1\r\nHost: x\r\nContent-Length: ${LENGTH}\r\n\r\n${JSON_BODY}`)),
  one('no target', text('POST HTTP/1.1\r\nHost: x\r\n\r\n')),
  one('an unknown verb', text(`FETCH ${INFER} HTTP/1.1\r\nHost: x\r\n\r\n`)),
  one('a verb in small letters', text(`post ${INFER} HTTP/1.1\r\nHost: x\r\n\r\n`)),
  ...['HTTP/2.0', 'HTTP/1.2', 'HTTP/0.9', 'HTTP/1', 'HTTP/11', 'http/1.1', 'HTTP/1.1 ', ''].map((version) =>
    one(`version "${version}"`, text(`GET /v2 ${version}\r\nHost: x\r\n\r\n`)),
  ),
  one('the preface of HTTP/2', text('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')),
  one('a greeting of TLS', Buffer.from('16030100050100000100', 'hex')),
  one('zeros', Buffer.alloc(40)),
  one('headers of 17 KiB', post(JSON_BODY, { A: 'b'.repeat(17 * 1024) })),
  one('headers of 15 KiB', post(JSON_BODY, { A: 'b'.repeat(15 * 1024) })),
  one('a target of 20 KiB', get(`/${'a'.repeat(20 * 1024)}`)),
  one('headers without end', text(`GET /v2 HTTP/1.1\r\n${'A: b\r\n'.repeat(20_000)}`)),
  one('an upgrade to WebSocket', get('/v2', { Connection: 'Upgrade', Upgrade: 'websocket' })),
  one(
    'an upgrade to h2c with an inference',
    post(JSON_BODY, { Connection: 'Upgrade, HTTP2-Settings', Upgrade: 'h2c', 'HTTP2-Settings': 'AAMAAABkAAQAAP__' }),
  ),
  one('CONNECT', text('CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n')),
  one('a client that ends its side within a body', post(JSON_BODY).subarray(0, -9), { halfCloses: true }),
  one('a client that ends its side within a body that it was asked for', post(JSON_BODY, { Expect: '100-continue' }).subarray(0, -9), {
    halfCloses: true,
  }),
  one('a client that ends its side within a head', post(JSON_BODY).subarray(0, 20), { halfCloses: true }),
  one('a client that ends its side at once', [], { halfCloses: true }),
];

/** They take as long as the timeouts of the server. */
export const SLOW_CORPUS: readonly CorpusExchange[] = [
  one('silence', []),
  one('a head that does not end', post(JSON_BODY).subarray(0, 40)),
  one('a body that does not end', post(JSON_BODY).subarray(0, -1)),
  one('a body that does not end, after an inference', Buffer.concat([post(JSON_BODY), post(JSON_BODY).subarray(0, -1)]), { answers: 2 }),
  one('chunks that do not end', Buffer.concat([head(`POST ${INFER} HTTP/1.1`, CHUNKED), text('5\r\n12345\r\n')])),
];

export const HTTP_CORPUS: readonly CorpusExchange[] = [...answered, ...sequences, ...documents, ...refused, ...malformed];
