/** Programs of the GPU measurements: the ceiling of the link, the bare loop on a GPU, and the drills. */
import { execFileSync, spawnSync } from 'node:child_process';
import path from 'node:path';
import { MAX_LATE_MS, openLoop } from './load.mjs';
import { configOf, DISTINCT_REQUESTS, inferBody, TOKENS } from './models.mjs';
import { randomNumbers } from './random.mjs';
import { root } from './record.mjs';

const program = (name) => path.join(root, 'build/bench', name);

/** What the link and the driver allow; null with the reason on stderr where no GPU can be used. */
export function gpuCeiling() {
  const { status, stdout, stderr } = spawnSync(program('gpu_ceiling'), { encoding: 'utf8' });
  if (status === 0) return JSON.parse(stdout);
  process.stderr.write(stderr);
  return null;
}

/** So many loops side by side over one session on the first GPU, host to host: {medianUs, rows, rowsPerS, ...}. */
export function bareGpuRun(ort, model, { batch, openDim, loops, seconds }) {
  const args = [ort, model, '1', String(batch), String(seconds), String(openDim), String(loops)];
  return JSON.parse(execFileSync(program('bare_run'), args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }));
}

/**
 * A model at batch 1 on the first GPU, without and with CUDA graphs: {model, withoutUs, withUs, largestDifference (of the largest value),
 * recorded, ok}; without the numbers, and with the reason on stderr, where it could not be run.
 */
export function graphsRun(ort, name, model, { openDim, runs }) {
  const { status, stdout, stderr } = spawnSync(program('gpu_graphs'), [ort, model, String(openDim), String(runs)], {
    encoding: 'utf8',
    timeout: 300_000,
    killSignal: 'SIGKILL',
  });
  process.stderr.write(stderr);
  return { model: name, ...(stdout.startsWith('{') ? JSON.parse(stdout) : {}), ok: status === 0 };
}

/** One real failure in a process of its own: its steps as printed, and whether all ended as they should. */
export function drill(name, ort, model, batch) {
  const { status, stdout, stderr, signal } = spawnSync(program('gpu_drill'), [name, ort, model, String(batch)], {
    encoding: 'utf8',
    timeout: 120_000,
    killSignal: 'SIGKILL',
  });
  const steps = stdout.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line)); // prettier-ignore
  const ok = status === 0 && steps.length > 0 && steps.every(({ asExpected }) => asExpected);
  return { name, ok, steps, ...(ok ? {} : { ended: status ?? signal, stderr: stderr.slice(-2000) }) };
}

/** Half-precision bits of a number between 2^-14 and 65504, or 0, rounded towards zero. */
function halfBits(value) {
  const [bits] = new Uint32Array(new Float32Array([value]).buffer);
  return value === 0 ? 0 : ((bits >>> 16) & 0x8000) | (((bits >>> 23) - 112) << 10) | ((bits >>> 13) & 0x3ff);
}

function halfToNumber(bits) {
  const exponent = (bits >>> 10) & 31;
  const fraction = bits & 1023;
  const size = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return bits & 0x8000 ? -size : size;
}

/**
 * Single rows for a model, and what the model in `referenceFile`, in full precision on the CPU, makes of them. Values are multiples of
 * 2^-10, which half precision holds exactly.
 */
export function requestsOf(model, referenceFile, length) {
  const [input] = configOf(model).input;
  const random = randomNumbers(1);
  const rows = Array.from({ length: DISTINCT_REQUESTS }, () => {
    const shape = [1, ...input.dims.map((dim) => (dim < 0 ? length : dim))];
    const count = shape.reduce((product, dim) => product * dim, 1);
    if (input.data_type === 'TYPE_INT64') {
      const tokens = BigInt64Array.from({ length: count }, () => BigInt(1 + Math.floor(random() * (TOKENS - 1))));
      const bytes = Buffer.from(tokens.buffer);
      return { shape, datatype: 'INT64', bytes, reference: { datatype: 'INT64', bytes } };
    }
    const values = Float32Array.from({ length: count }, () => Math.floor(random() * 1024) / 1024);
    const full = Buffer.from(values.buffer);
    const half = input.data_type === 'TYPE_FP16' ? Buffer.from(Uint16Array.from(values, halfBits).buffer) : undefined;
    return { shape, datatype: half ? 'FP16' : 'FP32', bytes: half ?? full, reference: { datatype: 'FP32', bytes: full } };
  });
  const batches = rows.map(({ shape, reference: { datatype, bytes } }) => [{ name: 'x', datatype, shape, raw: bytes.toString('base64') }]);
  const answers = JSON.parse(
    execFileSync(process.execPath, [path.join(root, 'test/support/oracle.mjs')], {
      input: JSON.stringify({ model: referenceFile, batches }),
      encoding: 'utf8',
      maxBuffer: 2 ** 30,
    }),
  );
  return rows.map(({ shape, datatype, bytes }, i) => {
    const raw = new Uint8Array(Buffer.from(answers[i][0].raw, 'base64'));
    return { tensor: { name: 'x', datatype, shape, bytes }, expected: [...new Float32Array(raw.buffer)] };
  });
}

/** One answer of the server, as numbers. */
export async function answerOf(port, model, tensor) {
  const { body, jsonBytes } = inferBody(tensor, 'y');
  const headers = { 'Inference-Header-Content-Length': String(jsonBytes) };
  const reply = await fetch(`http://127.0.0.1:${port}/v2/models/${model}/infer`, { method: 'POST', headers, body });
  const bytes = new Uint8Array(await reply.arrayBuffer());
  if (reply.status !== 200) throw new Error(`${model}: status ${reply.status}: ${Buffer.from(bytes).toString()}`);
  const head = Number(reply.headers.get('Inference-Header-Content-Length'));
  const [{ datatype }] = JSON.parse(Buffer.from(bytes.subarray(0, head)).toString()).outputs;
  const data = bytes.slice(head).buffer;
  return datatype === 'FP16' ? [...new Uint16Array(data)].map(halfToNumber) : [...new Float32Array(data)];
}

/** An open loop shared out among several generators at one time. `schedule(i)`: moments of the i-th. */
export async function openLoops({ server, requests, generators, schedule }) {
  const loops = Array.from({ length: generators }, (_, i) =>
    openLoop({
      port: server.http,
      management: server.management,
      requests,
      schedule: schedule(i),
      graceSeconds: 5,
      maxLateMs: MAX_LATE_MS,
    }),
  );
  const results = await Promise.all(loops);
  return { latencies: results.flatMap(({ latencies }) => latencies) };
}
