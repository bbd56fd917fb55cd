/**
 * Decoding a V2 JSON body of [1,3,224,224] FP32: the native codec against `JSON.parse` and `Float32Array.from`, each in a process of its
 * own, in turns. Usage: node bench/json-decode.mjs [rounds]
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { decodeMs, DECODED_COUNT, DECODED_SHAPE, writeJsonBody } from './measure/decoders.mjs';
import { buildReferences, scratch } from './measure/processes.mjs';
import { median, progress, record, rounded, turns } from './measure/record.mjs';

const DECODES = 15;
const rounds = Number(process.argv[2] ?? 5);

const CORPORA = {
  // 53 random bits: with fewer, many values would lie halfway between two floats.
  '17 digits': (random) => String(random() + random() / 2 ** 32),
  '8 digits': (random) => random().toFixed(8),
  '4 decimals': (random) => random().toFixed(4),
  'bytes 0 to 255': (random) => String(Math.floor(random() * 256)),
};

/**
 * JavaScript rounds twice (text to double, double to float), so a few values may be the neighbouring float: their count. Throws when
 * values differ by more.
 */
function compare(nativeFile, javascriptFile) {
  const [native, javascript] = [nativeFile, javascriptFile].map((file) => new Int32Array(new Uint8Array(readFileSync(file)).buffer));
  if (native.length !== DECODED_COUNT || javascript.length !== DECODED_COUNT) throw new Error('a reader lost elements');
  let differing = 0;
  for (let i = 0; i < DECODED_COUNT; i++) {
    const apart = Math.abs(native[i] - javascript[i]);
    if (apart > 1) throw new Error(`element ${i} differs by ${apart} units in the last place`);
    differing += apart;
  }
  return differing;
}

buildReferences();
const figures = [];
for (const [corpus, write] of Object.entries(CORPORA)) {
  const file = writeJsonBody(write);
  const times = { native: [], javascript: [] };
  for (let round = 0; round < rounds; round++) {
    progress(`${corpus}: round ${round + 1} of ${rounds}`);
    for (const name of turns(['native', 'javascript'], round)) times[name].push(decodeMs(name, file, DECODES));
  }
  const otherwiseRounded = compare(path.join(scratch, 'native'), path.join(scratch, 'javascript'));
  const [native, javascript] = [median(times.native), median(times.javascript)];
  figures.push({
    corpus,
    nativeMs: rounded(native),
    javascriptMs: rounded(javascript),
    ratio: rounded(javascript / native),
    otherwiseRounded,
  });
}
progress('');
console.table(figures);
record(
  'json-decode',
  { shape: DECODED_SHAPE, rounds, decodesPerRound: DECODES, javascript: 'toString + JSON.parse + Float32Array.from' },
  figures,
);
