import { describe, expect, it } from 'vitest';
import { runScenario } from '../support/scenario.js';

const WELL = { code: 0, signal: null, stdout: '', stderr: '' };

describe('worker threads that share one engine', () => {
  it('get their own answers and no others', async () => {
    expect(await runScenario('two-workers.mjs')).toMatchObject(WELL);
  });

  it('keep the engine when the one that started it ends, though no other thread has loaded the addon', async () => {
    expect(await runScenario('engine-in-worker.mjs')).toMatchObject(WELL);
  });

  it('may end in any way with requests in flight, and come and go', { timeout: 70_000 }, async () => {
    expect(await runScenario('worker-ends.mjs', [], { withinMs: 60_000 })).toMatchObject(WELL);
  });

  it('may end while versions are made for them, which go again', async () => {
    expect(await runScenario('abandoned-versions.mjs')).toMatchObject(WELL);
  });

  it('may be terminated under load 120 times, after which nothing is in flight and nothing is kept', { timeout: 130_000 }, async () => {
    expect(await runScenario('terminate-workers.mjs', [], { withinMs: 120_000 })).toMatchObject(WELL);
  });

  it('may be terminated 100 times while they take connections, and leave no client and no file open', { timeout: 130_000 }, async () => {
    expect(await runScenario('terminate-takers.mjs', [], { withinMs: 120_000 })).toMatchObject(WELL);
  });
});

it('worker threads may be terminated while they simulate, without an engine', async () => {
  expect(await runScenario('terminate-simulations.mjs')).toMatchObject(WELL);
});

it('an environment whose callback threw at one connection is served the next', async () => {
  expect(await runScenario('throwing-taker.mjs')).toMatchObject({ ...WELL, stdout: 'thrown on purpose\nserved\n' });
});
