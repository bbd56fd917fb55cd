/** Prints the README's table of figures from what is in bench/results. Usage: node bench/table.mjs */
import { existsSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import { fileURLToPath } from 'node:url';
import { readResult, resultFile } from './measure/record.mjs';

const number = (value) => value.toLocaleString('en', { maximumFractionDigits: value < 1 ? 3 : value < 20 ? 1 : 0 });
const us = (value) => `${number(value)} us`;
const percent = (share) => `${(100 * share).toFixed(0)} %`;
const times = ({ median, low, high }) => `${number(median)} (${number(low)} to ${number(high)})`;

/** For each result file, rows of: what, Penstock, reference, ratio or difference. */
const ROWS = {
  'json-decode': ({ figures }) =>
    figures
      .filter(({ corpus }) => corpus.endsWith(' digits'))
      .map(({ corpus, nativeMs, javascriptMs, ratio }) => [
        `decode a [1,3,224,224] FP32 JSON body, numbers of ${corpus}`,
        `${nativeMs} ms`,
        `\`JSON.parse\` + \`Float32Array.from\`: ${javascriptMs} ms`,
        `${number(ratio)} times faster`,
      ]),
  'added-latency': ({ figures }) =>
    figures.map(({ protocol, bareRunUs, serverUs, echoUs, addedToBareRunUs, addedToEchoAndRunUs }) => [
      `one \`digits\` request at a time, ${protocol}`,
      us(serverUs),
      `bare run ${us(bareRunUs)}, echo server ${us(echoUs)}`,
      `${us(addedToBareRunUs)} over the bare run, ${us(addedToEchoAndRunUs)} of it not transport`,
    ]),
  throughput: ({ figures }) =>
    figures.map(({ model, serverRowsPerS, bareRowsPerS, bareBatch, rowsPerCpuSecondRatio, laneIdleShare }) => [
      `\`${model}\`, 64 closed-loop clients`,
      `${number(serverRowsPerS)} rows/s`,
      `bare C++ loop, batch ${bareBatch}: ${number(bareRowsPerS)} rows/s`,
      `rows per CPU second of the lane: x ${times(rowsPerCpuSecondRatio)}${laneIdleShare === null ? '' : `; lane idle ${percent(laneIdleShare.median)}`}`,
    ]),
  'small-requests': ({ figures: { penstockRowsPerS, plainRowsPerS, ratio } }) => [
    [
      '`mlp_tiny`, 64 closed-loop clients, HTTP-binary',
      `${number(penstockRowsPerS)} rows/s`,
      `fastify + onnxruntime-node: ${number(plainRowsPerS)} rows/s`,
      `x ${times(ratio)}`,
    ],
  ],
  'cpu-per-request': ({ figures }) =>
    figures.map(({ protocol, serverCpuUs, echoCpuUs, ratio }) => [
      `CPU time of a small request, ${protocol}, run included`,
      us(serverCpuUs),
      `${protocol === 'gRPC' ? 'grpc-js' : '`node:http`'} echo: ${us(echoCpuUs)}`,
      `x ${times(ratio)}`,
    ]),
  'submit-callback': ({ figures: { submitToCallbackUs, bareRunUs, addedUs } }) => [
    [
      'submission in JavaScript to callback, one at a time, p50',
      us(submitToCallbackUs.median),
      `bare run: ${us(bareRunUs.median)}`,
      `${us(addedUs.median)} over the bare run`,
    ],
  ],
  'front-end': ({ figures: { closedLoops, fixedRate } }) => {
    const names = { http: 'HTTP-binary', grpc: 'gRPC' };
    const cost = ({ cpuUs, lanesUs }) => us(cpuUs - lanesUs);
    const p99 = ({ p99Ms }) => `p99 ${number(p99Ms.median)} ms`;
    return [
      ...closedLoops
        .filter(({ load }) => load !== 'one at a time')
        .map(({ protocol, load, native, js, jsToNative }) => [
          `CPU time of the front end for a small request, ${names[protocol]}, ${load}`,
          `${cost(native)}, ${number(native.perS)}/s`,
          `\`--front-end js\`: ${cost(js)}, ${number(js.perS)}/s`,
          `x ${times(jsToNative)} less`,
        ]),
      ...fixedRate
        .filter(({ eventLoops }) => eventLoops === 'blocked')
        .map(({ protocol, native, js }) => [
          `2,000 requests/s while JavaScript is busy for 50 of every 150 ms, ${names[protocol]}`,
          p99(native),
          `\`--front-end js\`: ${p99(js)}`,
          `p50 ${number(native.p50Ms.median)} ms, ${number(js.p50Ms.median)} ms`,
        ]),
    ];
  },
  'batching-policy': ({ figures: { kinds } }) => {
    const { mean, worst, shareAtLeast095, eagerMean } = kinds['one-row exact'];
    return [
      [
        'simulated goodput, share of an exact oracle, one-row requests',
        `${number(mean)}, worst ${number(worst)}`,
        `starting every batch at once: ${number(eagerMean)}`,
        `at least 0.95 in ${(100 * shareAtLeast095).toFixed(1)} % of the cells`,
      ],
    ];
  },
  'prediction-device': ({ figures: { cells, judged, within5PercentOrInterval, mostUnsafePercent, leaveOneOut } }) => [
    [
      'largest rate within a p99 goal, predicted for settings that were not tried (device of scripted times)',
      `${leaveOneOut.filter(({ errorPercent }) => errorPercent !== null && Math.abs(errorPercent) <= 5).length} of ${judged} within 5 %`,
      `measured: ${within5PercentOrInterval} of ${judged} within 5 % or its interval (${cells - judged} prove nothing)`,
      `${number(Math.max(...leaveOneOut.map(({ errorPercent }) => errorPercent)))} % too high at most, ${number(mostUnsafePercent)} % beyond the interval`,
    ],
  ],
  'tail-latency': ({ figures }) =>
    figures.map(({ model, p50Ms, p99Ms, p99ToP50, idealP99ToP50, samples }) => [
      `\`${model}\` at 80 % of the largest Poisson rate`,
      `p50 ${number(p50Ms)} ms, p99 ${number(p99Ms)} ms`,
      `the same arrivals, a lane of bare runs: p99 / p50 ${number(idealP99ToP50)}`,
      `p99 / p50 ${number(p99ToP50)} (${number(samples)} samples)`,
    ]),
  overload: ({ figures: { overloadOnTimePerS, peakOnTimePerS, ratio } }) => [
    [
      '`conv_small`, rows/s in time at 3 times the load',
      number(overloadOnTimePerS.median),
      `at the best load: ${number(peakOnTimePerS.median)}`,
      `x ${times(ratio)}`,
    ],
  ],
  'on-time': ({ figures }) => {
    const share = (name) => percent(figures.reduce((sum, cell) => sum + cell[name].median, 0) / figures.length);
    const good = figures.filter(({ ruleBehind }) => !ruleBehind).length;
    const others = Object.keys(figures[0])
      .filter((name) => /^(eager|delay)/.test(name))
      .map((name) => `${name} ${share(name)}`);
    return [
      [
        '`conv_small`, rows in time, mean of 4 arrival patterns x 3 loads',
        share('rule'),
        others.join(', '),
        `best or equal within noise in ${good} of ${figures.length}`,
      ],
    ];
  },
};

const lines = Object.entries(ROWS)
  .filter(([name]) => existsSync(resultFile(name)))
  .flatMap(([name, rows]) => rows(readResult(name)));
const table = [['', 'Penstock', 'reference', ''], ['---', '---', '---', '---'], ...lines]
  .map((cells) => `| ${cells.join(' | ')} |`)
  .join('\n');
const style = await resolveConfig(fileURLToPath(import.meta.url));
console.log(await format(table, { ...style, parser: 'markdown' }));
