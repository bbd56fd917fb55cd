/**
 * Decoding a V2 JSON body of [1,3,224,224] FP32: the native codec against `JSON.parse` and `Float32Array.from`, each in a process of its
 * own, in turns. Usage: node bench/json-decode.mjs [rounds]
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildReferences, median, record, rounded } from './measure/record.mjs';

const SHAPE = [1, 3, 224, 224];
const COUNT = SHAPE.reduce((product, dim) => product * dim, 1);
const DECODES = 15;
const rounds = Number(process.argv[2] ?? 5);

/** Seeded, so that every run reads the same text (mulberry32). */
function randomNumbers(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const CORPORA = {
  '17 digits': (random) => String(random()),
  '8 digits': (random) => random().toFixed(8),
  '4 decimals': (random) => random().toFixed(4),
  'bytes 0 to 255': (random) => String(Math.floor(random() * 256)),
};

const folder = mkdtempSync(path.join(tmpdir(), 'penstock-bench-'));
const programs = buildReferences();
const reader = fileURLToPath(new URL('measure/json-parse.mjs', import.meta.url));
const figures = [];
for (const [corpus, write] of Object.entries(CORPORA)) {
  const random = randomNumbers(7);
  const data = Array.from({ length: COUNT }, () => write(random)).join(',');
  const file = path.join(folder, 'body.json');
  writeFileSync(file, `{"inputs":[{"name":"INPUT0","shape":${JSON.stringify(SHAPE)},"datatype":"FP32","data":[${data}]}]}`);
  const contenders = {
    native: () => JSON.parse(execFileSync(path.join(programs, 'json_decode'), [file, String(DECODES)], { encoding: 'utf8' })),
    javascript: () => JSON.parse(execFileSync(process.execPath, [reader, file, String(DECODES)], { encoding: 'utf8' })),
  };
  const times = { native: [], javascript: [] };
  const checksums = new Set();
  for (let round = 0; round < rounds; round++) {
    process.stderr.write(`\r${corpus}: round ${round + 1} of ${rounds}   `);
    const order = round % 2 === 0 ? ['native', 'javascript'] : ['javascript', 'native'];
    for (const name of order) {
      const { medianMs, checksum } = contenders[name]();
      times[name].push(medianMs);
      checksums.add(checksum);
    }
  }
  if (checksums.size !== 1) throw new Error(`${corpus}: the two readers disagree`);
  const [native, javascript] = [median(times.native), median(times.javascript)];
  figures.push({ corpus, nativeMs: rounded(native), javascriptMs: rounded(javascript), ratio: rounded(javascript / native) });
}
process.stderr.write('\n');
rmSync(folder, { recursive: true });
console.table(figures);
record('json-decode', { shape: SHAPE, rounds, decodesPerRound: DECODES, javascript: 'toString + JSON.parse + Float32Array.from' }, figures);
