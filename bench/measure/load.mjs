/** Load on a server from a native generator in a process of its own, and what came of it. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicSeconds, runLoad, scratch } from './processes.mjs';
import { root } from './record.mjs';

/** What a generator on shared cores may be late at its 99th percentile; a later one measures itself. */
export const MAX_LATE_MS = 5;
const ATTEMPTS = 5;

/** More than any open-loop run has in flight at once; the server's own limit is 4096. */
const MAX_CONNECTIONS = 4000;
const SETTLE_SECONDS = 60;

const program = path.join(root, 'build/bench/http_load');
let runs = 0;

const sized = (bytes) => {
  const size = Buffer.alloc(4);
  size.writeUInt32LE(bytes.length);
  return [size, bytes];
};

/** `requests`: {bytes, expected}, sent in turn. Returns the names of the file of requests and of that of the records to come. */
function prepare(requests) {
  const names = { requests: path.join(scratch, `requests-${++runs}`), records: path.join(scratch, `records-${runs}`) };
  writeFileSync(names.requests, Buffer.concat(requests.flatMap(({ bytes, expected }) => [...sized(bytes), ...sized(expected)])));
  return names;
}

/** {intended, sent, answered, status} of each request, in seconds of the monotonic clock. Throws when an answer had wrong values. */
export function readRecords(file) {
  const values = new Float64Array(new Uint8Array(readFileSync(file)).buffer);
  const records = [];
  for (let at = 0; at < values.length; at += 4) {
    const [intended, sent, answered, status] = values.subarray(at, at + 4);
    if (status === -1) throw new Error('an answer differs from the reference');
    records.push({ intended, sent, answered, status });
  }
  return records;
}

/**
 * Answers per second of clients that send their next request when they have their answer, after a second to warm up. `sample` is called at
 * both ends of the window and must return an object of counters; their growth is in `grown`. Any answer but 200 is an error.
 */
export async function closedLoop({ port, requests, connections, seconds, sample = () => ({}) }) {
  const files = prepare(requests);
  const load = (total) => runLoad(program, [String(port), String(connections), files.requests, files.records, 'closed', String(total)]);
  return closedWindow({ load, records: files.records, seconds, sample });
}

const WARM_SECONDS = 1;

/** As `closedLoop`, for any generator: `load` runs it for so many seconds. */
export async function closedWindow({ load, records, seconds, sample }) {
  const ended = load(WARM_SECONDS + seconds + 0.5);
  await Promise.race([sleep(WARM_SECONDS * 1000), ended]);
  const before = await sample();
  const begin = monotonicSeconds();
  await Promise.race([sleep(seconds * 1000), ended]);
  const end = monotonicSeconds();
  const after = await sample();
  await ended;
  const inWindow = readRecords(records).filter(({ answered }) => answered > begin && answered <= end);
  const failed = inWindow.find(({ status }) => status !== 200);
  if (failed !== undefined) throw new Error(`a request of a closed loop was answered with status ${failed.status}`);
  const grown = Object.fromEntries(Object.keys(after).map((name) => [name, after[name] - before[name]]));
  return { answers: inWindow.length, seconds: end - begin, perSecond: inWindow.length / (end - begin), grown };
}

/**
 * Sends each request at its moment of `schedule` (seconds), whatever has become of those before it. Returns, for each, its latency from
 * the intended moment (Infinity when it was not answered with 200) and its status; and how late the generator was. What has no answer
 * `graceSeconds` after the last is given up. A run whose generator was later than `maxLateMs` at p99 is repeated, and refused in the end.
 */
export async function openLoop({ port, management, requests, schedule, graceSeconds, maxLateMs }) {
  const files = prepare(requests);
  const times = `${files.records}.schedule`;
  writeFileSync(times, new Uint8Array(schedule.buffer, schedule.byteOffset, schedule.byteLength));
  let lateMs = { p50: 0, p99: 0 };
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    await settled(management);
    const connections = String(MAX_CONNECTIONS);
    await runLoad(program, [String(port), connections, files.requests, files.records, 'open', times, String(graceSeconds)]);
    const records = readRecords(files.records);
    const late = records.map(({ intended, sent }) => (sent === 0 ? Infinity : sent - intended));
    lateMs = { p50: quantile(late, 0.5) * 1e3, p99: quantile(late, 0.99) * 1e3 };
    if (lateMs.p99 > maxLateMs) continue;
    const latencies = records.map(({ intended, answered, status }) => (status === 200 ? answered - intended : Infinity));
    return { latencies, statuses: records.map(({ status }) => status), lateMs };
  }
  const found = `${lateMs.p99.toFixed(1)} ms late at p99`;
  throw new Error(`the generator was ${found} in the last of ${ATTEMPTS} runs, expected ${maxLateMs} ms at most: is the machine busy?`);
}

/** Nearest rank. */
export function quantile(values, share) {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)];
}

/** Sum over all labels of each metric named, from the server's management port. `label`: only of those that have it, as in `model="m"`. */
export async function readMetrics(management, names, label = '') {
  const text = await (await fetch(`http://127.0.0.1:${management}/metrics`)).text();
  const sums = {};
  for (const line of text.split('\n')) {
    const name = /^[a-zA-Z_:]\w*/.exec(line)?.[0];
    if (names.includes(name) && line.includes(label)) sums[name] = (sums[name] ?? 0) + Number(line.slice(line.lastIndexOf(' ') + 1));
  }
  return sums;
}

/** Until the server holds no request any more. */
async function settled(management) {
  const deadline = performance.now() + SETTLE_SECONDS * 1000;
  while ((await readMetrics(management, ['penstock_in_flight_requests'])).penstock_in_flight_requests !== 0) {
    if (performance.now() > deadline) throw new Error(`the server still holds requests after ${SETTLE_SECONDS} s without load`);
    await sleep(50);
  }
}
