/** The JavaScript way to read a V2 JSON body. Usage: node json-parse.mjs FILE ROUNDS OUT */
import { readFileSync, writeFileSync } from 'node:fs';
import { median } from './record.mjs';

const [file, rounds, out] = process.argv.slice(2);
const body = readFileSync(file);
const times = [];
let values = new Float32Array();
for (let i = 0; i < Number(rounds); i++) {
  const start = performance.now();
  values = Float32Array.from(JSON.parse(body.toString('utf8')).inputs[0].data);
  times.push(performance.now() - start);
}

writeFileSync(out, new Uint8Array(values.buffer));
console.log(JSON.stringify({ medianMs: median(times) }));
