/**
 * Runs the measurements in order, says first how long that takes, and ends with the table for the README.
 * Usage: npm run bench [-- name [rounds ...]]
 */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Seconds that each takes on two cores, roughly. */
const SECONDS = {
  guard: 150,
  'json-decode': 40,
  'added-latency': 25,
  'batching-policy': 60,
  throughput: 110,
  'small-requests': 50,
  'cpu-per-request': 100,
  'front-end': 500,
  'submit-callback': 20,
  'tail-latency': 240,
  overload: 140,
  'on-time': 660,
  prediction: 1300,
  'prediction-device': 1080,
};
const FOLDER = path.dirname(fileURLToPath(import.meta.url));
const minutes = (seconds) => `${Math.ceil(seconds / 60)} min`;

/** Returns the exit code. */
function run(script, args = []) {
  return spawnSync(process.execPath, [path.join(FOLDER, script), ...args], { stdio: 'inherit' }).status ?? 1;
}

const [only, ...args] = process.argv.slice(2);
if (only !== undefined && !(only in SECONDS)) {
  console.error(`there is no measurement "${only}"; there are ${Object.keys(SECONDS).join(', ')}`);
  process.exit(64);
}
const names = only === undefined ? Object.keys(SECONDS) : [only];
const total = names.reduce((sum, name) => sum + SECONDS[name], 0);
console.log(`${names.join(', ')}: about ${minutes(total)}; leave the machine alone meanwhile`);
const failed = [];
let status = 0;
for (const [index, name] of names.entries()) {
  console.log(`\n${index + 1} of ${names.length}: ${name}, about ${minutes(SECONDS[name])}`);
  const code = run(`${name}.mjs`, args);
  if (code === 0) continue;
  failed.push(name);
  status = only === undefined ? 1 : code;
}
console.log('');
run('table.mjs');
if (failed.length > 0) console.error(`failed: ${failed.join(', ')}`);
process.exit(status);
