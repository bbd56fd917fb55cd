/**
 * From the submission of a request in JavaScript to its callback at concurrency 1, decoding and encoding included, without a socket, less
 * the time of the bare run. Usage: node bench/submit-callback.mjs [rounds]
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { inferBody, knownRequests, makeRepository, modelFile, requireModels } from './measure/models.mjs';
import { bareRun, buildReferences, scratch } from './measure/processes.mjs';
import { progress, record, spread, turns } from './measure/record.mjs';

const rounds = Number(process.argv[2] ?? 7);
const CALLS = 4000;
const BARE_SECONDS = 0.3;
const MODEL = 'mlp_tiny';

requireModels(MODEL);
buildReferences();
const [{ tensor, expected }] = knownRequests(MODEL, 1);
const { body, jsonBytes } = inferBody(tensor, 'y');
const [bodyFile, expectedFile] = [path.join(scratch, 'body'), path.join(scratch, 'expected')];
writeFileSync(bodyFile, body);
writeFileSync(expectedFile, expected);
const args = [makeRepository({ [MODEL]: { model: MODEL } }), MODEL, bodyFile, jsonBytes, expectedFile, CALLS].map(String);
const contenders = {
  submit: () => JSON.parse(execFileSync(process.execPath, ['bench/measure/submit-loop.mjs', ...args], { encoding: 'utf8' })).medianUs,
  bareRun: () => bareRun(modelFile(MODEL), { threads: 1, batch: 1, seconds: BARE_SECONDS }).medianUs,
};
const times = { submit: [], bareRun: [] };
for (let round = 0; round < rounds; round++) {
  progress(`round ${round + 1} of ${rounds}`);
  for (const name of turns(Object.keys(contenders), round)) times[name].push(contenders[name]());
}
progress('');
const figures = {
  submitToCallbackUs: spread(times.submit),
  bareRunUs: spread(times.bareRun),
  addedUs: spread(times.submit.map((us, round) => us - times.bareRun[round])),
};
console.table(figures);
record(
  'submit-callback',
  { model: `${MODEL}, one row`, concurrency: 1, rounds, callsPerRound: CALLS, figure: 'p50 of each round' },
  figures,
);
