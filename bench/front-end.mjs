/**
 * What a request costs in the native and in the JavaScript front ends, against bare servers that answer at once: a native one over nghttp2 and
 * a plain node:http one. CPU time and rate in closed loops, latency at a fixed rate with event loops that are free and that are blocked, bodies of
 * 8 MiB. Usage: node bench/front-end.mjs [rounds] [seconds]
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { grpcCaller, grpcInferMessage, httpCaller } from './measure/callers.mjs';
import { readMetrics } from './measure/load.mjs';
import { generate } from './measure/loadgen.mjs';
import { inferBody, knownRequests, makeRepository, requireModels } from './measure/models.mjs';
import { buildReferences, cpuByThread, scratch, startNode, startProgram, startServer } from './measure/processes.mjs';
import { median, progress, ratioSpread, record, rounded, spread, turns } from './measure/record.mjs';

const [rounds = 5, seconds = 3] = process.argv.slice(2).map(Number);
const MODEL = 'mlp_tiny';
/** 8 MiB of input; its answer has 1.25 MiB. */
const [WIDE, WIDE_ROWS] = ['mlp_wide', 32768];
const FRONT_ENDS = ['native', 'js'];
const WARM_UP = 0.5;
const RATE = 2000;
const SHAPES = {
  http: { 'one at a time': { 'closed-loop': 1 }, '32 connections': { 'closed-loop': 32 } },
  grpc: {
    'one at a time': { 'closed-loop': 1, streams: 1 },
    '8 connections with 16 calls each': { 'closed-loop': 128, streams: 16 },
    '32 connections': { 'closed-loop': 32, streams: 1 },
  },
};
/** Every thread of JavaScript is busy for 50 ms in every 150, as by an admin task or a large garbage collection. */
const BLOCKED = 'setInterval(() => { for (const end = performance.now() + 50; performance.now() < end;); }, 150).unref()';

const fileOf = (name, bytes) => {
  const file = path.join(scratch, name);
  writeFileSync(file, bytes);
  return file;
};

/** What both protocols ask with the same tensor. */
function requestsOf(model, { tensor, expected }) {
  const { body, jsonBytes } = inferBody(tensor, 'y');
  const message = grpcInferMessage(model, tensor);
  const headers = { 'Inference-Header-Content-Length': jsonBytes };
  return { path: `/v2/models/${model}/infer`, headers, body, message, outputBytes: expected.length };
}

/** One row so many times. */
function repeated({ tensor, expected }, rows) {
  const times = (bytes) => Buffer.concat(Array.from({ length: rows }, () => bytes));
  return { tensor: { ...tensor, shape: [rows, ...tensor.shape.slice(1)], bytes: times(tensor.bytes) }, expected: times(expected) };
}

/** Asks once over each protocol; what comes before the values is what every answer must begin with. */
async function answersOf(server, { path: url, headers, body, message, outputBytes }) {
  const callers = { http: await httpCaller(server.http, url, body, headers), grpc: await grpcCaller(server.grpc, message) };
  const answers = { http: await callers.http.call(), grpc: await callers.grpc.call() };
  for (const caller of Object.values(callers)) caller.close();
  if (!answers.grpc.subarray(-outputBytes).equals(answers.http.subarray(-outputBytes)))
    throw new Error('HTTP and gRPC answer with different values');
  return answers;
}

/** Flags of the generator for each protocol. */
function flagsOf(name, { path: url, headers, body, message, outputBytes }, answers) {
  const begins = (protocol) => fileOf(`${name}-${protocol}-begin`, answers[protocol].subarray(0, -outputBytes));
  const [[header, value]] = Object.entries(headers);
  return {
    http: { path: url, header: `${header}: ${value}`, body: fileOf(`${name}-body`, body), 'expect-prefix': begins('http') },
    grpc: { body: fileOf(`${name}-message`, message), 'expect-prefix': begins('grpc') },
  };
}

/** CPU seconds of a process: lanes run models, `penstock-io` are the loops of native front ends, the rest is JavaScript and its helpers. */
function cpuOf(pid) {
  const threads = cpuByThread(pid);
  const total = Object.values(threads).reduce((sum, cpu) => sum + cpu, 0);
  const loops = Object.entries(threads).filter(([name]) => name.startsWith('penstock-io'));
  return { total, lanes: threads['penstock-lane'] ?? 0, loops: loops.reduce((sum, [, seconds]) => sum + seconds, 0) };
}

/** CPU microseconds of the server for each request of a load, those of the warm-up included, and requests per second after it. */
async function cost(server, protocol, flags, load) {
  const before = cpuOf(server.pid);
  const report = await generate({ protocol, port: server[protocol], flags }, { ...load, 'warm-up': WARM_UP, duration: seconds });
  const after = cpuOf(server.pid);
  const requests = report.counts.requests + report.counts.warm_up;
  const each = (name) => ((after[name] - before[name]) / requests) * 1e6;
  return { cpuUs: each('total'), lanesUs: each('lanes'), loopsUs: each('loops'), perS: report.rate_answered };
}

/** Calls measure(name) for each contender in each round, in turns: name to field to values. Once before, while JavaScript is still compiled. */
async function inRounds(what, names, measure) {
  const values = Object.fromEntries(names.map((name) => [name, {}]));
  for (const name of names) {
    progress(`${what}: ${name}, to warm up`);
    await measure(name);
  }
  for (let round = 0; round < rounds; round++) {
    for (const name of turns(names, round)) {
      progress(`${what}: round ${round + 1} of ${rounds}, ${name}`);
      for (const [field, value] of Object.entries(await measure(name))) (values[name][field] ??= []).push(value);
    }
  }
  return values;
}

const medians = (fields) => Object.fromEntries(Object.entries(fields).map(([field, values]) => [field, rounded(median(values))]));
/** Without the lanes: what is left is the way from the socket to the engine and back. */
const withoutLanes = ({ cpuUs, lanesUs }) => cpuUs.map((cpu, round) => cpu - lanesUs[round]);

requireModels(MODEL);
const references = buildReferences();
const repository = makeRepository({ [MODEL]: { model: MODEL }, [WIDE]: { model: MODEL, max_batch_size: WIDE_ROWS } });
const start = (frontEnd, nodeOptions = []) => startServer(repository, ['--front-end', frontEnd], nodeOptions);
const servers = Object.fromEntries(await Promise.all(FRONT_ENDS.map(async (frontEnd) => [frontEnd, await start(frontEnd)])));
const [row] = knownRequests(MODEL, 1);
const small = requestsOf(MODEL, row);
const wide = requestsOf(WIDE, repeated(row, WIDE_ROWS));
const answers = await answersOf(servers.js, small);
const flags = { small: flagsOf('small', small, answers), wide: flagsOf('wide', wide, await answersOf(servers.js, wide)) };
const messageFile = fileOf('answer', answers.grpc);
const echoes = {
  http: await startNode((ready) => ['bench/measure/echo-servers.mjs', String(answers.http.length), String(answers.grpc.length), ready]),
  grpc: await startProgram(path.join(references, 'grpc_echo'), (ready) => [messageFile, ready]),
};

const closedLoops = [];
for (const [protocol, shapes] of Object.entries(SHAPES)) {
  const echoFlags = { ...flags.small[protocol] };
  delete echoFlags['expect-prefix'];
  for (const [load, shape] of Object.entries(shapes)) {
    const values = await inRounds(`${protocol}, ${load}`, [...FRONT_ENDS, 'echo'], (name) =>
      name === 'echo' ? cost(echoes[protocol], protocol, echoFlags, shape) : cost(servers[name], protocol, flags.small[protocol], shape),
    );
    const contenders = Object.fromEntries(Object.entries(values).map(([name, fields]) => [name, medians(fields)]));
    closedLoops.push({
      protocol,
      load,
      ...contenders,
      jsToNative: ratioSpread(withoutLanes(values.js), withoutLanes(values.native)),
      nativeToEcho: ratioSpread(withoutLanes(values.native), values.echo.cpuUs),
    });
  }
}

const largeBodies = [];
for (const protocol of Object.keys(SHAPES)) {
  const values = await inRounds(`${protocol}, 8 MiB`, FRONT_ENDS, async (name) => {
    const input = () => readMetrics(servers[name].management, ['penstock_tensor_bytes_copied_total'], 'direction="input"');
    const received = () => readMetrics(servers[name].management, ['penstock_tensor_bytes_received_total']);
    const before = { ...(await input()), ...(await received()) };
    const fields = await cost(servers[name], protocol, flags.wide[protocol], { ...SHAPES[protocol]['one at a time'] });
    const after = { ...(await input()), ...(await received()) };
    const grown = (metric) => after[metric] - before[metric];
    const copies = grown('penstock_tensor_bytes_copied_total') / grown('penstock_tensor_bytes_received_total');
    return { ...fields, copiesPerInputByte: copies };
  });
  const contenders = Object.fromEntries(Object.entries(values).map(([name, fields]) => [name, medians(fields)]));
  largeBodies.push({ protocol, ...contenders, jsToNative: ratioSpread(withoutLanes(values.js), withoutLanes(values.native)) });
}
for (const { stop } of [...Object.values(servers), ...Object.values(echoes)]) await stop();

const fixedRate = [];
for (const [eventLoops, nodeOptions] of [
  ['free', []],
  ['blocked', ['--import', `data:text/javascript,${encodeURIComponent(BLOCKED)}`]],
]) {
  const pair = Object.fromEntries(await Promise.all(FRONT_ENDS.map(async (frontEnd) => [frontEnd, await start(frontEnd, nodeOptions)])));
  for (const protocol of Object.keys(SHAPES)) {
    const values = await inRounds(`${protocol}, ${RATE}/s, event loops ${eventLoops}`, FRONT_ENDS, async (name) => {
      const request = { protocol, port: pair[name][protocol], flags: flags.small[protocol] };
      const { latency_ms: latency } = await generate(request, { rate: RATE, 'warm-up': WARM_UP, duration: seconds });
      return { p50: latency.p50.value, p99: latency.p99.value };
    });
    const latencies = ({ p50, p99 }) => ({ p50Ms: spread(p50), p99Ms: spread(p99) });
    fixedRate.push({ protocol, eventLoops, native: latencies(values.native), js: latencies(values.js) });
  }
  for (const { stop } of Object.values(pair)) await stop();
}
progress('');
console.table(
  closedLoops.map(({ protocol, load, native, js, echo, jsToNative, nativeToEcho }) => ({
    protocol,
    load,
    nativeUs: rounded(native.cpuUs - native.lanesUs),
    jsUs: rounded(js.cpuUs - js.lanesUs),
    echoUs: echo.cpuUs,
    jsToNative: jsToNative.median,
    nativeToEcho: nativeToEcho.median,
    nativePerS: Math.round(native.perS),
    jsPerS: Math.round(js.perS),
    echoPerS: Math.round(echo.perS),
  })),
);
console.table(
  largeBodies.map(({ protocol, native, js, jsToNative }) => ({
    protocol,
    nativeUs: rounded(native.cpuUs - native.lanesUs),
    jsUs: rounded(js.cpuUs - js.lanesUs),
    jsToNative: jsToNative.median,
    nativeCopies: native.copiesPerInputByte,
    jsCopies: js.copiesPerInputByte,
  })),
);
console.table(
  fixedRate.map(({ protocol, eventLoops, native, js }) => ({
    protocol,
    eventLoops,
    nativeP50Ms: native.p50Ms.median,
    nativeP99Ms: native.p99Ms.median,
    jsP50Ms: js.p50Ms.median,
    jsP99Ms: js.p99Ms.median,
  })),
);
const settings = {
  model: `${MODEL}, one row`,
  largeModel: `${MODEL}, ${WIDE_ROWS} rows`,
  requestBytes: { http: small.body.length, grpc: small.message.length },
  fixedRatePerS: RATE,
  blocked: 'every thread of JavaScript, 50 ms in every 150',
  rounds,
  secondsPerRound: seconds,
};
record('front-end', settings, { closedLoops, largeBodies, fixedRate });
process.exit(0);
