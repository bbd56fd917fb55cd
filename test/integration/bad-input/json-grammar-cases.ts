/** Documents that are not JSON, or JSON of another form than a request (H7), and numbers where other numbers belong (T2). */
import { inferPath, requestText, type BadCase } from './bad-case.js';

const document = (row: BadCase['row'], name: string, body: string | Buffer, message: RegExp, status = 400): BadCase => ({
  row,
  name,
  send: { via: 'http', path: inferPath('identity_fp32'), body },
  status,
  message,
});

const good = requestText();

const grammar: readonly BadCase[] = (
  [
    ['nothing', ''],
    ['spaces', ' \r\n\t '],
    ['a byte order mark', Buffer.from(`\ufeff${good}`)],
    ['UTF-16', Buffer.from(good, 'utf16le')],
    ['a NUL behind it', `${good}\0`],
    ['two documents', good + good],
    ['a comma at the end of an object', requestText({}, ',')],
    ['a comma at the end of an array', requestText({ data: '[1,2,]' })],
    ['two commas', requestText({ data: '[1,,2]' })],
    ['a comma in front', requestText({ data: '[,1,2]' })],
    ['no comma', requestText({ data: '[1 2]' })],
    ['a colon for a comma', requestText({ data: '[1:2]' })],
    ['a key without quotes', `{inputs:[]}`],
    ['a key in single quotes', `{'inputs':[]}`],
    ['a key that is a number', `{1:[]}`],
    ['a key without a value', `{"inputs"}`],
    ['a key without a colon', `{"inputs" []}`],
    ['a comment', `/* x */${good}`],
    ['a comment at the end of a line', `${good} // x`],
    ['brackets that do not match', `{"inputs":[}]`],
    ['a bracket too many', `${good}}`],
    ['a bracket too few', good.slice(0, -1)],
    ['a string that does not end', `{"id":"abc`],
    ['a key that does not end', `{"id`],
    ['an escape that does not exist', `{"id":"\\x41"}`],
    ['half a Unicode escape', `{"id":"\\u00"}`],
    ['a Unicode escape that is not hexadecimal', `{"id":"\\u00zz"}`],
    ['a high surrogate alone', `{"id":"\\ud800"}`],
    ['a low surrogate alone', `{"id":"\\udc00"}`],
    ['two high surrogates', `{"id":"\\ud800\\ud800"}`],
    ['a line feed in a string', `{"id":"a\nb"}`],
    ['a NUL in a string', `{"id":"a\0b"}`],
    ['UTF-8 that ends early', Buffer.from('{"id":"\xe4\xb8"}', 'latin1')],
    ['an overlong UTF-8 slash', Buffer.from('{"id":"\xc0\xaf"}', 'latin1')],
    ['a surrogate in UTF-8', Buffer.from('{"id":"\xed\xa0\x80"}', 'latin1')],
    ['a code point over U+10FFFF', Buffer.from('{"id":"\xf4\x90\x80\x80"}', 'latin1')],
    ['a continuation byte alone', Buffer.from('{"id":"\x80"}', 'latin1')],
    ['a word that is no literal', `{"x":nul}`],
    ['a literal in capitals', `{"x":TRUE}`],
    ['a literal with a tail', `{"x":truely}`],
    ['undefined', `{"x":undefined}`],
    ['a number with a leading zero', `{"x":01}`],
    ['a number with a plus sign', `{"x":+1}`],
    ['a number that ends with a point', `{"x":1.}`],
    ['a number that begins with a point', `{"x":.5}`],
    ['a number without an exponent behind e', `{"x":1e}`],
    ['a minus sign alone', `{"x":-}`],
    ['a number in hexadecimal', `{"x":0x10}`],
    ['a number with an underscore', `{"x":1_000}`],
    ['NaN', `{"x":NaN}`],
    ['a form', 'inputs=1&outputs=2'],
    ['XML', '<inputs/>'],
  ] as const
).map(([name, body]) => document('H7', `JSON: ${name}`, body, /^JSON at byte \d+: |^the request: /));

const field = (name: string, body: string, message: RegExp, row: BadCase['row'] = 'H7', status = 400): BadCase =>
  document(row, name, body, message, status);

/** Each member of a request with a value of each other kind. */
const VALUES = { null: 'null', true: 'true', 'a number': '1', 'a string': '"x"', 'an array': '[]', 'an object': '{}' } as const;
type Kind = keyof typeof VALUES;
const members: readonly (readonly [member: string, right: Kind, body: (value: string) => string])[] = [
  ['the request', 'an object', (value) => value],
  ['inputs', 'an array', (value) => `{"inputs":${value}}`],
  ['inputs[0]', 'an object', (value) => `{"inputs":[${value}]}`],
  ['inputs[0].name', 'a string', (value) => requestText({ name: value })],
  ['inputs[0].datatype', 'a string', (value) => requestText({ datatype: value })],
  ['inputs[0].shape', 'an array', (value) => requestText({ shape: value })],
  ['inputs[0].data', 'an array', (value) => requestText({ data: value })],
  ['inputs[0].parameters', 'an object', (value) => requestText({ parameters: value })],
  ['outputs', 'an array', (value) => requestText({}, `,"outputs":${value}`)],
  ['outputs[0]', 'an object', (value) => requestText({}, `,"outputs":[${value}]`)],
  ['outputs[0].name', 'a string', (value) => requestText({}, `,"outputs":[{"name":${value}}]`)],
  ['outputs[0].parameters', 'an object', (value) => requestText({}, `,"outputs":[{"name":"OUTPUT0","parameters":${value}}]`)],
  ['parameters', 'an object', (value) => requestText({}, `,"parameters":${value}`)],
  ['id', 'a string', (value) => requestText({}, `,"id":${value}`)],
];

const escaped = (text: string): string => text.replaceAll(/[[\].]/g, '\\$&');
const kinds: readonly BadCase[] = members.flatMap(([member, right, body]) =>
  (Object.entries(VALUES) as [Kind, string][])
    .filter(([kind]) => kind !== right)
    .map(([kind, value]) => field(`${member} is ${kind}`, body(value), new RegExp(`^${escaped(member)}: found `))),
);

const missing: readonly BadCase[] = [
  field('no inputs', '{}', /^inputs: found nothing, expected an array of inputs$/),
  field('an empty array of inputs', '{"inputs":[]}', /^inputs: found an empty array/),
  field('an input without a name', '{"inputs":[{"shape":[1,2],"datatype":"FP32","data":[1,2]}]}', /^inputs\[0\]\.name: found nothing/),
  field('an input without a shape', '{"inputs":[{"name":"INPUT0","datatype":"FP32","data":[1,2]}]}', /^inputs\[0\]\.shape: found nothing/),
  field(
    'an input without a datatype',
    '{"inputs":[{"name":"INPUT0","shape":[1,2],"data":[1,2]}]}',
    /^inputs\[0\]\.datatype: found nothing/,
  ),
  field('an input without data', '{"inputs":[{"name":"INPUT0","shape":[1,2],"datatype":"FP32"}]}', /^inputs\[0\]: found neither/),
  field('an input with data of both forms', requestText({ parameters: '{"binary_data_size":8}' }), /^inputs\[0\]: found both/),
  field('an output without a name', requestText({}, ',"outputs":[{}]'), /^outputs\[0\]\.name: found nothing/),
];

/** Not a whole number from 0 that 64 bits hold, in the words of JSON. */
const NUMBERS = [
  '-1',
  '-9223372036854775808',
  '1.5',
  '1e308',
  '1e400',
  '1e2',
  '2.0',
  '18446744073709551616',
  '"5"',
  'true',
  'null',
  '[]',
  '{}',
];
const t2 = (path: string, body: (value: string) => string, values: readonly string[] = NUMBERS): readonly BadCase[] =>
  values.map((value) => field(`${path} is ${value}`, body(value), new RegExp(`^${escaped(path)}: found `), 'T2'));
const parameter = (name: string) => (value: string) => requestText({}, `,"parameters":{"${name}":${value}}`);

const NOT_YET = / (?:is|are) not supported(?: yet)?$/;
const numbers: readonly BadCase[] = [
  ...t2('inputs[0].shape[1]', (value) => requestText({ shape: `[1,${value}]` }), [...NUMBERS, '9223372036854775808']),
  ...t2(
    'inputs[0].parameters.binary_data_size',
    (value) => `{"inputs":[{"name":"INPUT0","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":${value}}}]}`,
  ),
  ...t2('parameters.timeout', parameter('timeout')),
  ...t2('parameters.priority', parameter('priority')),
  ...t2(
    'parameters.sequence_id',
    parameter('sequence_id'),
    NUMBERS.filter((value) => value !== '"5"'),
  ),
  ...t2('parameters.binary_data_output', parameter('binary_data_output'), ['1', '"true"', 'null', '1.5']),
  ...t2('parameters.sequence_start', parameter('sequence_start'), ['1', '"true"', 'null']),
  ...t2('parameters.custom', parameter('custom'), ['null', '[]', '{}', '1e400', '-9223372036854775809', '18446744073709551616']),
  ...t2(
    'outputs[0].parameters.binary_data',
    (value) => requestText({}, `,"outputs":[{"name":"OUTPUT0","parameters":{"binary_data":${value}}}]`),
    ['1', '"true"', 'null', '[]'],
  ),
  field('a sequence', requestText({}, ',"parameters":{"sequence_id":4294967297,"sequence_start":true}'), NOT_YET, 'T2', 501),
  field('a sequence named by a string', requestText({}, ',"parameters":{"sequence_id":"a"}'), NOT_YET, 'T2', 501),
  field(
    'shared memory of an input',
    requestText({ parameters: '{"shared_memory_region":"r","shared_memory_byte_size":18446744073709551615}' }),
    NOT_YET,
    'T2',
    501,
  ),
  field(
    'shared memory of an output',
    requestText({}, ',"outputs":[{"name":"OUTPUT0","parameters":{"shared_memory_region":"r"}}]'),
    NOT_YET,
    'T2',
    501,
  ),
  ...['2147483648', '4294967295', '9007199254740993', '18446744073709551616', '-1', '1.5', '"5"', 'null'].map((count) =>
    field(
      `classification is ${count}`,
      requestText({}, `,"outputs":[{"name":"OUTPUT0","parameters":{"classification":${count}}}]`),
      NOT_YET,
      'T2',
      501,
    ),
  ),
];

export const jsonGrammarCases: readonly BadCase[] = [...grammar, ...kinds, ...missing, ...numbers];
