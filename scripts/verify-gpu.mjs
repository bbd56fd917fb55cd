/**
 * `npm run verify:gpu`: everything about GPUs that only a GPU can show. Needs the CUDA provider (`npm run install:cuda`) and its CUDA and
 * cuDNN libraries; the models are made when they are not there (Python with the packages of models/digits/requirements.txt).
 * Usage: npm run verify:gpu [-- rounds [seconds]]   (of the throughput measurement; 3 rounds of 60 s)
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { drill, gpuCeiling, graphsRun } from '../bench/measure/gpu.mjs';
import { modelFile } from '../bench/measure/models.mjs';
import { buildReferences, ORT } from '../bench/measure/processes.mjs';
import { record } from '../bench/measure/record.mjs';
import { ensureBuilt } from './build-steps.mjs';
import { Failure, main, root, run, say, seconds } from './processes.mjs';

const MODELS = ['mlp_tiny', 'resnet50', 'resnet50_fp16', 'bert_base', 'bert_base_fp16'];
/** CUDA graphs at batch 1, by what open dimensions beyond the batch are. */
const RECORDED = { mlp_tiny: 1, resnet50: 1 };
const RECORDED_RUNS = 1000;
const HOUR_MS = 3_600_000;
/** Rows of the batch that the drills run: ResNet-50 then needs some hundred MB beside its weights. */
const DRILL_BATCH = 64;

async function makeModels() {
  const missing = MODELS.filter((model) => !existsSync(modelFile(model)));
  if (missing.length === 0) return;
  say(`making ${missing.join(', ')} ...`);
  const { code } = await run('python3', [path.join(root, 'bench/make_models.py'), ...missing], { timeoutMs: HOUR_MS });
  if (code !== 0)
    throw new Failure(69, 'the models could not be made: Python with the packages of models/digits/requirements.txt is needed');
}

/** Steps that failed, by name. */
async function verify(throughputArgs) {
  const failed = [];
  const step = async (name, check) => {
    say(`${name} ...`);
    const start = performance.now();
    const ok = await check();
    say(`${name}: ${ok ? 'passed' : 'FAILED'} in ${seconds(start)}`);
    if (!ok) failed.push(name);
  };
  const node = async (...args) => (await run(process.execPath, args, { timeoutMs: HOUR_MS })).code === 0;

  const ceiling = gpuCeiling();
  if (ceiling === null) throw new Failure(69, 'no GPU can be used here: see the line above');
  const { gpu, copies, gathers, launchAndWaitUs, graphs } = ceiling;
  say(`${gpu.name} (${gpu.uuid}), driver ${gpu.driver}`);
  console.table(copies);
  console.table(gathers);
  console.table(graphs);
  record('gpu-ceiling', { gpu }, { copies, gathers, launchAndWaitUs, graphs });

  await step('the server on this GPU', () => node(path.join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--project', 'gpu'));
  const drills = [];
  for (const name of ['oom', 'illegal-address', 'hang', 'cycles']) {
    await step(`drill: ${name}`, () => {
      const result = drill(name, ORT, modelFile('resnet50'), DRILL_BATCH);
      drills.push(result);
      for (const line of result.steps) say(`  ${JSON.stringify(line)}`);
      if (!result.ok) say(`  ended: ${String(result.ended)}; ${result.stderr ?? ''}`);
      return result.ok;
    });
  }
  record('gpu-drills', { gpu, model: 'resnet50', batch: DRILL_BATCH }, drills);
  const recorded = [];
  await step('CUDA graphs', () => {
    for (const [model, openDim] of Object.entries(RECORDED)) {
      recorded.push(graphsRun(ORT, model, modelFile(model), { openDim, runs: RECORDED_RUNS }));
    }
    console.table(recorded);
    return recorded.every(({ ok }) => ok);
  });
  record('gpu-graphs', { gpu, batch: 1, runs: RECORDED_RUNS }, recorded);
  await step('throughput over real sockets', () => node(path.join(root, 'bench/gpu-throughput.mjs'), ...throughputArgs));
  return failed;
}

await main(async () => {
  await ensureBuilt();
  buildReferences();
  await makeModels();
  const failed = await verify(process.argv.slice(2));
  if (failed.length > 0) throw new Failure(1, `not verified: ${failed.join('; ')}`);
  say('everything that needs a GPU has been verified; the figures are in bench/results');
});
