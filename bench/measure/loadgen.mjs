/** Load over HTTP or gRPC from penstock-loadgen, in a process of its own with one thread, and its report. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { MAX_LATE_MS } from './load.mjs';
import { root } from './record.mjs';

const program = path.join(root, 'build/bench/penstock-loadgen');
/** That it was late itself; what that means for a run is decided here, as for the other generator. */
const EXIT_REFUSED = 75;
const ATTEMPTS = 5;

/**
 * `request`: {protocol, port, flags}, `load`: flags of the generator. Throws when any request was not answered rightly, and when the generator
 * was later than MAX_LATE_MS at p99 in every attempt.
 */
export async function generate({ protocol, port, flags }, load) {
  const args = Object.entries({ protocol, port, ...flags, ...load }).flatMap(([name, value]) => [`--${name}`, String(value)]);
  for (let attempt = 1; ; attempt++) {
    const { stdout, stderr, code = 0 } = await promisify(execFile)(program, args, { cwd: root }).catch((error) => error);
    if (code !== 0 && code !== EXIT_REFUSED) throw new Error(`penstock-loadgen ended with ${code}: ${stderr}`);
    const report = JSON.parse(stdout);
    if (report.counts.misses > 0) throw new Error(`${protocol} requests went wrong: ${JSON.stringify(report.counts)}`);
    const lateMs = report.schedule_delay_ms?.p99 ?? 0;
    if (lateMs <= MAX_LATE_MS) return report;
    if (attempt < ATTEMPTS) continue;
    throw new Error(`the generator was ${lateMs.toFixed(1)} ms late at p99 in the last of ${ATTEMPTS} runs: is the machine busy?`);
  }
}
