/** JSON documents: depth (H7), names given twice and names without end (H10), names with a meaning in JavaScript (N1). */
import { inferPath, inputText, requestText, SMALL_LIMIT, type BadCase, type Bytes } from './bad-case.js';

interface Document {
  readonly name: string;
  readonly body: Bytes;
  readonly message: RegExp;
  readonly model?: string;
  readonly status?: number;
  readonly heavy?: string;
}

const json =
  (row: BadCase['row']) =>
  ({ name, body, message, model = 'identity_fp32', status = 400, heavy }: Document): BadCase => ({
    row,
    name,
    send: { via: 'http', path: inferPath(model), body },
    status,
    message,
    ...(heavy === undefined ? {} : { heavy }),
  });

const DEPTH = /^JSON at byte \d+: nested more than 100 levels deep$/;
const arrays = (depth: number): string => `${'['.repeat(depth)}1${']'.repeat(depth)}`;
const objects = (depth: number): string => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
const LARGE = 'a megabyte';

/** The document, `inputs` and the input are three levels of the hundred. */
const places: readonly (readonly [string, (value: string) => string])[] = [
  ['data', (value) => requestText({ shape: '[1,1]', data: value })],
  ['data before its shape', (value) => `{"inputs":[{"data":${value},"name":"INPUT0","datatype":"FP32","shape":[1,1]}]}`],
  ['an unknown key', (value) => requestText({}, `,"unknown":${value}`)],
  ['an unknown key of an input', (value) => requestText({ unknown: value })],
  ['an unknown key of an output', (value) => requestText({}, `,"outputs":[{"name":"OUTPUT0","unknown":${value}}]`)],
  ['a parameter of an input', (value) => requestText({ parameters: `{"unknown":${value}}` })],
];

const nesting: readonly Document[] = [
  ...places.flatMap(([place, document]) =>
    [101, 120, 10_000].map((depth) => ({ name: `${depth} arrays in ${place}`, body: document(arrays(depth)), message: DEPTH })),
  ),
  ...places
    .filter(([place]) => !place.startsWith('data'))
    .flatMap(([place, document]) =>
      [101, 10_000].map((depth) => ({ name: `${depth} objects in ${place}`, body: document(objects(depth)), message: DEPTH })),
    ),
  { name: 'a million arrays in data', body: () => Buffer.from(requestText({ data: arrays(500_000) })), message: DEPTH, heavy: LARGE },
  {
    name: 'a million brackets and nothing else',
    body: () => Buffer.alloc(1_000_000, '['),
    message: /^the request|^JSON at byte/,
    heavy: LARGE,
  },
  { name: '200000 objects that never end', body: () => Buffer.from(`{"a":${'{"a":'.repeat(200_000)}`), message: DEPTH, heavy: LARGE },
  {
    name: '100 arrays in a request parameter',
    body: requestText({}, `,"parameters":{"p":${arrays(90)}}`),
    message: /^parameters\.p: found an array/,
  },
  { name: '10000 arrays in a request parameter', body: requestText({}, `,"parameters":{"p":${arrays(10_000)}}`), message: DEPTH },
  { name: 'arrays in the shape', body: requestText({ shape: '[[1,2]]' }), message: /^inputs\[0\]\.shape\[0\]: found an array/ },
  { name: '10000 arrays in the shape', body: requestText({ shape: arrays(10_000) }), message: DEPTH },
  { name: '10000 arrays in the name', body: requestText({ name: arrays(10_000) }), message: DEPTH },
  { name: '10000 arrays in the id', body: requestText({}, `,"id":${arrays(10_000)}`), message: DEPTH },
];

const TWICE = /appears twice$/;
const output = '{"name":"OUTPUT0"}';
const repeated: readonly Document[] = [
  {
    name: 'the same input twice',
    body: `{"inputs":[${inputText()},${inputText()}]}`,
    message: /^inputs: the name "INPUT0" appears twice$/,
  },
  {
    name: 'the same output twice',
    body: requestText({}, `,"outputs":[${output},${output}]`),
    message: /^outputs: the name "OUTPUT0" appears twice$/,
  },
  {
    name: 'the same output a hundred thousand times',
    body: () => Buffer.from(requestText({}, `,"outputs":[${Array(100_000).fill(output).join(',')}]`)),
    message: /^outputs: found more than 1024 tensors, expected at most 1024$/,
    heavy: 'two megabytes',
  },
  {
    name: 'a hundred thousand unknown outputs',
    body: () => Buffer.from(requestText({}, `,"outputs":[${Array.from({ length: 100_000 }, (_, i) => `{"name":"o${i}"}`).join(',')}]`)),
    message: /^outputs: found more than 1024 tensors/,
    heavy: 'two megabytes',
  },
  {
    name: '1000 unknown outputs',
    body: requestText({}, `,"outputs":[${Array.from({ length: 1000 }, (_, i) => `{"name":"o${i}"}`).join(',')}]`),
    message: /^outputs\[0\]\.name: found "o0", expected one of "OUTPUT0"$/,
  },
  {
    name: '5000 inputs',
    body: `{"inputs":[${Array.from({ length: 5000 }, (_, i) => `{"name":"i${i}","shape":[0],"datatype":"FP32"}`).join(',')}]}`,
    message: /^inputs: found more than 1024 tensors/,
  },
  { name: 'an unknown output', body: requestText({}, ',"outputs":[{"name":"nothing"}]'), message: /^outputs\[0\]\.name: found "nothing"/ },
  {
    name: 'an unknown input',
    body: requestText({ name: '"nothing"' }),
    message: /^inputs\[0\]\.name: found "nothing", expected one of "INPUT0"$/,
  },
  {
    name: 'an input too many',
    body: `{"inputs":[${inputText()},${inputText({ name: '"INPUT1"' })}]}`,
    message: /^inputs\[1\]\.name: found "INPUT1"/,
  },
  {
    name: 'an input too few',
    model: 'two_in_one_out',
    body: requestText(),
    message: /^inputs: missing input "INPUT1", expected "INPUT0", "INPUT1"$/,
  },
  { name: 'two of `inputs`', body: `{"inputs":[${inputText()}],"inputs":[]}`, message: /^inputs: appears twice$/ },
  { name: 'two of `outputs`', body: requestText({}, ',"outputs":[],"outputs":[]'), message: TWICE },
  { name: 'two of `parameters`', body: requestText({}, ',"parameters":{},"parameters":{}'), message: TWICE },
  { name: 'two of `id`', body: requestText({}, ',"id":"a","id":"b"'), message: /^id: appears twice$/ },
  { name: 'two of `id`, one of them escaped', body: requestText({}, ',"id":"a","i\\u0064":"b"'), message: /^id: appears twice$/ },
  ...['name', 'shape', 'datatype', 'data'].map((key) => {
    const value = { name: '"INPUT0"', shape: '[1,2]', datatype: '"FP32"', data: '[1,2]' }[key] ?? '';
    return { name: `two of \`${key}\` in an input`, body: `{"inputs":[${inputText().slice(0, -1)},"${key}":${value}}]}`, message: TWICE };
  }),
  { name: 'two parameters of one name', body: requestText({}, ',"parameters":{"p":1,"p":2}'), message: /^parameters\.p: appears twice$/ },
  {
    name: 'two timeouts',
    body: requestText({}, ',"parameters":{"timeout":1,"timeout":2}'),
    message: /^parameters\.timeout: appears twice$/,
  },
  {
    name: 'two binary sizes',
    body: requestText({ parameters: '{"binary_data_size":8,"binary_data_size":8}' }),
    message: /^inputs\[0\]\.parameters\.binary_data_size: appears twice$/,
  },
  {
    name: '100000 parameters',
    body: () => Buffer.from(requestText({}, `,"parameters":{${keys(100_000)}}`)),
    message: /more than 1024 parameters/,
    heavy: LARGE,
  },
  {
    name: '100000 parameters of an input',
    body: () => Buffer.from(requestText({ parameters: `{${keys(100_000)}}` })),
    message: /more than 1024 parameters/,
    heavy: LARGE,
  },
  {
    name: 'a name of a megabyte',
    body: () => Buffer.from(requestText({ name: `"${'n'.repeat(SMALL_LIMIT)}"` })),
    message: /^inputs\[0\]\.name: found "n+"\.\.\. \(1048576 bytes\), expected 1 to 1024 bytes$/,
    heavy: LARGE,
  },
  {
    name: 'an id of a megabyte',
    body: () => Buffer.from(requestText({}, `,"id":"${'n'.repeat(SMALL_LIMIT)}"`)),
    message: /^id: found 1048576 bytes, expected at most 1024$/,
    heavy: LARGE,
  },
  { name: 'an empty input name', body: requestText({ name: '""' }), message: /^inputs\[0\]\.name: found ""/ },
  { name: 'an empty output name', body: requestText({}, ',"outputs":[{"name":""}]'), message: /^outputs\[0\]\.name: found ""/ },
  { name: 'a parameter without a name', body: requestText({}, ',"parameters":{"":1}'), message: /^parameters.*: found ""/ },
  ...['headers', 'triton_', 'triton_enable_empty_final_response', 'triton_x'].map((name) => ({
    name: `the reserved parameter ${name}`,
    body: requestText({}, `,"parameters":{"${name}":true}`),
    message: /reserved$/,
  })),
];

function keys(count: number): string {
  return Array.from({ length: count }, (_, index) => `"${index}":1`).join(',');
}

/** As the name of everything that has one. */
const meaning: readonly Document[] = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'prototype'].flatMap((name) => [
  {
    name: `an input named ${name}`,
    body: requestText({ name: `"${name}"` }),
    message: new RegExp(`^inputs\\[0\\]\\.name: found "${name}"`),
  },
  {
    name: `an output named ${name}`,
    body: requestText({}, `,"outputs":[{"name":"${name}"}]`),
    message: new RegExp(`^outputs\\[0\\]\\.name: found "${name}"`),
  },
  {
    name: `a null parameter named ${name}`,
    body: requestText({}, `,"parameters":{"${name}":null}`),
    message: new RegExp(`^parameters\\.${name}: found null`),
  },
  { name: `a document with only ${name}`, body: `{"${name}":{"inputs":[]}}`, message: /^inputs: found nothing/ },
  {
    name: `a model named ${name}`,
    model: name,
    status: 404,
    body: requestText(),
    message: new RegExp(`^Request for unknown model: '${name}' is not found`),
  },
]);

export const jsonCases: readonly BadCase[] = [...nesting.map(json('H7')), ...repeated.map(json('H10')), ...meaning.map(json('N1'))];
