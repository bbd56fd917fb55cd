/** Headers of a well-formed request that cannot be true: the length of the JSON part (H4), encodings (H5), names with a meaning (N1). */
import { gzipSync } from 'node:zlib';
import { inferPath, requestText, type BadCase, type Headers } from './bad-case.js';

const GOOD = requestText();
const JSON_LENGTH = 'Inference-Header-Content-Length';
const EXPECTED = '; expected the number of bytes of the JSON part, in decimal digits$';

const withHeaders = (
  row: BadCase['row'],
  name: string,
  headers: Headers,
  message: RegExp,
  status = 400,
  body: string | Buffer = GOOD,
): BadCase => ({
  row,
  name,
  send: { via: 'http', path: inferPath('identity_fp32'), headers, body },
  status,
  message,
});

const jsonLength = (value: string, message: RegExp | undefined = undefined, body: string | Buffer = GOOD): BadCase => {
  const shown = value
    .trim()
    .slice(0, 64)
    .replaceAll(/[+.$*]/g, '\\$&');
  return withHeaders(
    'H4',
    `a JSON length of '${value.slice(0, 40)}'`,
    [[JSON_LENGTH, value]],
    message ?? new RegExp(`is '${shown}.*'${EXPECTED}`),
    400,
    body,
  );
};

/** Their numbers are in order, but there are no such bytes, or the JSON is not there. */
const tooLong = new RegExp(`^${JSON_LENGTH}: found \\d+, expected 0 to ${GOOD.length}, the bytes of the body$`);

/** The whole body is the one input. */
const rawRequest = (name: string, model: string, message: RegExp): BadCase => ({
  row: 'H4',
  name: `a raw request ${name}`,
  send: { via: 'http', path: inferPath(model), headers: [[JSON_LENGTH, '0']], body: '12345' },
  status: 400,
  message,
});

const jsonLengths: readonly BadCase[] = [
  ...['-1', '', '+5', '0x10', '1e3', '5 5', '5,5', '1.5', '\u00b3', 'NaN', 'Infinity', 'true', '0b1', '5;q=1', '9'.repeat(5000)].map(
    (value) => jsonLength(value),
  ),
  ...['99999999999999999999', '9223372036854775808', '9223372036854775807', '18446744073709551616', '9007199254740993'].map((value) =>
    jsonLength(value),
  ),
  jsonLength(String(GOOD.length + 1), tooLong),
  jsonLength('4294967296', tooLong),
  jsonLength('9007199254740991', tooLong),
  jsonLength('1', /^JSON at byte 1: found the end/),
  jsonLength(String(GOOD.length - 1), /^JSON at byte \d+: found the end/),
  jsonLength('000', /^body: found \d+ bytes, expected a multiple of 4/, `${GOOD}   `),
  withHeaders(
    'H4',
    'two JSON lengths that differ',
    [
      [JSON_LENGTH, '5'],
      [JSON_LENGTH, '6'],
    ],
    /is given twice: '5' and '6'$/,
  ),
  withHeaders(
    'H4',
    'two JSON lengths in different case',
    [
      [JSON_LENGTH, '5'],
      ['inference-header-CONTENT-length', '6'],
    ],
    /is given twice: '5' and '6'$/,
  ),
  withHeaders('H4', 'a JSON length and no body', [[JSON_LENGTH, '5']], /found 5, expected 0 to 0/, 400, ''),
  rawRequest('for a model with two inputs', 'add_sub', /^body: a raw binary request needs a model with exactly 1 input/),
  rawRequest('for a model with dims that vary', 'two_in_one_out', /^body: a raw binary request needs a model with exactly 1 input/),
  rawRequest(
    'of another size than the model has',
    'identity_fixed',
    /^body: found 5 bytes, expected 24|^inputs?.*: found 5 bytes, expected 24/,
  ),
  rawRequest('of a size that no row has', 'identity_fp32', /^body: found 5 bytes, expected a multiple of 4/),
  rawRequest('for strings of any count', 'identity_string', /^body: a raw binary request needs a BYTES input of one element/),
];

const unreadable = /^Content-Encoding is '.*'; expected gzip, deflate or identity$/;
const encodings: readonly BadCase[] = [
  ...[
    'br',
    'zstd',
    'compress',
    'x-gzip',
    'gzip, gzip',
    'gzip, deflate',
    'deflate, gzip, gzip',
    'gzip;q=1',
    'gz ip',
    '*',
    'x'.repeat(5000),
  ].map((value) => withHeaders('H5', `a body encoding of '${value.slice(0, 30)}'`, [['Content-Encoding', value]], unreadable, 501)),
  withHeaders(
    'H5',
    'two headers of body encoding',
    [
      ['Content-Encoding', 'gzip'],
      ['Content-Encoding', 'deflate'],
    ],
    unreadable,
    501,
    gzipSync(GOOD),
  ),
];

/** node:http keeps headers in objects: a name of Object.prototype must not reach it. The body is what is wrong with them. */
const names: readonly BadCase[] = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '__defineGetter__', 'valueOf'].flatMap(
  (name) => [
    withHeaders(
      'N1',
      `a header named ${name}`,
      [
        [name, 'x'],
        [name, 'y'],
      ],
      /^inputs: found nothing/,
      400,
      '{}',
    ),
    {
      ...withHeaders('N1', `a header named ${name} to an unknown path`, [[name, 'x']], /^Not Found$/, 404),
      send: { via: 'http', method: 'GET', path: '/v2/nothing', headers: [[name, 'x']] },
    },
  ],
);

export const httpHeaderCases: readonly BadCase[] = [...jsonLengths, ...encodings, ...names];
