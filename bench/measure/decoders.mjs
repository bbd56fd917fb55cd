/** Two readers of a V2 JSON body of [1,3,224,224] FP32, each in a process of its own: the native codec, and `JSON.parse` with `Float32Array.from`. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { root } from './record.mjs';
import { scratch } from './processes.mjs';
import { randomNumbers } from './random.mjs';

export const DECODED_SHAPE = [1, 3, 224, 224];
export const DECODED_COUNT = DECODED_SHAPE.reduce((product, dim) => product * dim, 1);

const PROGRAMS = {
  native: [path.join(root, 'build/bench/json_decode')],
  javascript: [process.execPath, fileURLToPath(new URL('json-parse.mjs', import.meta.url))],
};

/** `write`: a number as text, from a source of uniform numbers. Returns the file with the body. */
export function writeJsonBody(write) {
  const random = randomNumbers(7);
  const data = Array.from({ length: DECODED_COUNT }, () => write(random)).join(',');
  const file = path.join(scratch, 'body.json');
  writeFileSync(file, `{"inputs":[{"name":"INPUT0","shape":${JSON.stringify(DECODED_SHAPE)},"datatype":"FP32","data":[${data}]}]}`);
  return file;
}

/** Median milliseconds of so many decodes by `native` or `javascript`, whose values go to the file NAME of the scratch folder. */
export function decodeMs(name, file, decodes) {
  const [program, ...args] = PROGRAMS[name];
  const line = execFileSync(program, [...args, file, String(decodes), path.join(scratch, name)], { encoding: 'utf8' });
  return JSON.parse(line).medianMs;
}
