/** The JavaScript way to read a V2 JSON body. Usage: node json-parse.mjs FILE ROUNDS */
import { readFileSync } from 'node:fs';
import { median } from './record.mjs';

const [file, rounds] = process.argv.slice(2);
const body = readFileSync(file);
const times = [];
let values = new Float32Array();
for (let i = 0; i < Number(rounds); i++) {
  const start = performance.now();
  values = Float32Array.from(JSON.parse(body.toString('utf8')).inputs[0].data);
  times.push(performance.now() - start);
}

/** FNV-1a, as json_decode prints it. */
let hash = 14695981039346656037n;
for (const byte of new Uint8Array(values.buffer)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 1099511628211n);
console.log(JSON.stringify({ medianMs: median(times), checksum: hash.toString(16).padStart(16, '0') }));
