/**
 * `npm run fuzz -- [target] [runs]`: builds the fuzzers of native/fuzz with clang and runs one of them, or all in turn, to so many executions
 * (a million when nothing is said) beyond those of earlier runs. What a run finds new is kept in build/fuzz-corpus; a broken input stays
 * there too, and ends the run. Executions of all runs add up in a file of the temporary folder, so that a run may be ended and gone on with.
 * `npm run fuzz -- minimise [target]` takes what was found into native/fuzz/corpus, as few inputs as reach the same code.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { compile, configure } from './cmake.mjs';
import { Failure, findProgram, main, root, run, say } from './processes.mjs';
import { installHint, requireBuildTools } from './prerequisites.mjs';

const EXIT_USAGE = 64;
const DEFAULT_RUNS = 1_000_000;
/** Of one process: the sum is written down after each. */
const ROUND_SECONDS = 60;
/** Longest inputs in bytes: short ones run faster, and what needs more is put together by the target itself. */
const MAX_BYTES = { http1_head: 384, http1_chunks: 192, grpc_request: 384, http_request: 384, grpc_session: 256 };
const TARGETS = Object.keys(MAX_BYTES);
const SANITIZERS = {
  // No stacks of allocations, which the broken input shows when it runs alone, and a short quarantine: a third of the time went there.
  ASAN_OPTIONS: 'malloc_context_size=0:quarantine_size_mb=4:thread_local_quarantine_size_kb=64:detect_stack_use_after_return=0',
  UBSAN_OPTIONS: 'print_stacktrace=1',
};

const dictionary = (target) => path.join(root, 'native', 'fuzz', 'dictionaries', `${target}.dict`);
const program = (target) => path.join(root, 'build', 'fuzz', `fuzz_${target}`);
const kept = (target) => path.join(root, 'native', 'fuzz', 'corpus', target);
const found = (target) => path.join(root, 'build', 'fuzz-corpus', target);
const sumFile = (target) => path.join(os.tmpdir(), `penstock-fuzz-${target}.json`);

function readSum(target) {
  try {
    return JSON.parse(readFileSync(sumFile(target), 'utf8'));
  } catch {
    return { executions: 0, seconds: 0 };
  }
}

/** Why nothing can be fuzzed here, or undefined. */
function fuzzingMissing() {
  if (findProgram('clang++')) return undefined;
  return `clang with libFuzzer: ${installHint({ debian: 'clang', fedora: 'clang compiler-rt', macos: 'llvm' })}`;
}

async function build(targets) {
  requireBuildTools();
  const missing = fuzzingMissing();
  if (missing) throw new Failure(EXIT_USAGE, `Nothing is fuzzed without ${missing}.`);
  const options = { CMAKE_CXX_COMPILER: 'clang++', BUILD_ADDON: 'OFF', BUILD_FUZZERS: 'ON', NVCC: 'OFF' };
  const { code, output } = await configure('fuzz', options);
  if (code !== 0) throw new Failure(1, `${output}CMake could not configure the fuzzers.`);
  const programs = targets.map((target) => `fuzz_${target}`);
  if ((await compile('fuzz', programs)) !== 0) throw new Failure(1, 'The fuzzers did not compile.');
}

/** The number behind a name in libFuzzer's final statistics. */
const statistic = (output, name) => Number(new RegExp(`^stat::${name}:\\s*(\\d+)`, 'm').exec(output)?.[1] ?? 0);

/** One process of at most ROUND_SECONDS; resolves to its executions. Throws when it has found something. */
async function round(target, runs) {
  // Entropic schedules take a third of the time of short runs.
  const artifacts = path.join(root, 'build', 'fuzz-corpus', `${target}-`);
  const limits = [
    `-runs=${runs}`,
    `-max_total_time=${ROUND_SECONDS}`,
    `-max_len=${MAX_BYTES[target]}`,
    '-timeout=20',
    '-rss_limit_mb=1024',
  ];
  const args = [...limits, '-entropic=0', '-print_final_stats=1', `-artifact_prefix=${artifacts}`, found(target), kept(target)];
  if (existsSync(dictionary(target))) args.unshift(`-dict=${dictionary(target)}`);
  const { code, output } = await run(program(target), args, { capture: true, env: SANITIZERS });
  const executions = statistic(output, 'number_of_executed_units');
  if (code !== 0) {
    process.stderr.write(output.split('\n').slice(-60).join('\n'));
    throw new Failure(1, `${target} has found something: the input is named above.`);
  }
  return { executions, reached: /DONE +(cov: \d+ ft: \d+ corp: \d+)/.exec(output)?.[1] ?? '' };
}

async function fuzz(target, runs) {
  mkdirSync(found(target), { recursive: true });
  const before = readSum(target).executions;
  for (let done = 0; done < runs; done = readSum(target).executions - before) {
    const started = performance.now();
    const { executions, reached } = await round(target, runs - done);
    const seconds = (performance.now() - started) / 1000;
    const sum = readSum(target);
    const next = { executions: sum.executions + executions, seconds: Math.round(sum.seconds + seconds) };
    writeFileSync(`${sumFile(target)}.new`, JSON.stringify(next));
    renameSync(`${sumFile(target)}.new`, sumFile(target));
    const speed = Math.round(executions / seconds).toLocaleString('en');
    const time = new Date().toISOString().slice(0, 19);
    say(`${time} ${target}: ${next.executions.toLocaleString('en')} executions in all, ${speed}/s, ${reached}`);
  }
}

/** A fuzzer that runs meanwhile replaces inputs by smaller ones: what is gone when it is copied is left out. */
function copyInputs(from, to) {
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from)) {
    try {
      copyFileSync(path.join(from, name), path.join(to, name));
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
    }
  }
}

/** The smallest set of inputs with the same coverage, of what is kept and what was found. */
async function minimise(target) {
  const inputs = path.join(root, 'build', 'fuzz-inputs', target);
  const folder = path.join(root, 'build', 'fuzz-kept', target);
  for (const old of [inputs, folder]) rmSync(old, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const from of [kept(target), found(target)].filter(existsSync)) copyInputs(from, inputs);
  const args = ['-set_cover_merge=1', `-max_len=${MAX_BYTES[target]}`, folder, inputs];
  const { code, output } = await run(program(target), args, { capture: true, env: SANITIZERS });
  if (code !== 0) throw new Failure(1, `${output}The corpus of ${target} could not be made smaller.`);
  rmSync(kept(target), { recursive: true, force: true });
  copyInputs(folder, kept(target));
  say(`${target}: ${readdirSync(kept(target)).length} inputs are kept`);
}

await main(async () => {
  const args = process.argv.slice(2);
  const isMinimising = args[0] === 'minimise';
  if (isMinimising) args.shift();
  const named = args.filter((arg) => !/^[\d_]+$/.test(arg));
  const runs = Number((args.find((arg) => /^[\d_]+$/.test(arg)) ?? String(DEFAULT_RUNS)).replaceAll('_', ''));
  const unknown = named.find((name) => !TARGETS.includes(name));
  if (unknown) throw new Failure(EXIT_USAGE, `There is no fuzzer ${unknown}: ${TARGETS.join(', ')}.`);
  const targets = named.length > 0 ? named : TARGETS;
  await build(targets);
  for (const target of targets) await (isMinimising ? minimise(target) : fuzz(target, runs));
});
