import { describe, expect, it } from 'vitest';
import { runScenario, type ScenarioEnd } from '../support/scenario.js';

/** A process that waited for the run instead of ending it would take minutes. */
const QUICKLY = { withinMs: 10_000 };
const SILENT = { signal: null, stdout: '', stderr: '' };

function exitDuringRun(how: string): Promise<ScenarioEnd> {
  return runScenario('exit.mjs', [how], QUICKLY);
}

describe('a process that leaves while a model runs', () => {
  it('keeps the code of process.exit', async () => {
    expect(await exitDuringRun('process.exit')).toMatchObject({ ...SILENT, code: 7 });
  });

  it.each([
    ['uncaught error', 'Error: thrown on purpose'],
    ['unhandled rejection', 'Error: rejected on purpose'],
  ])('ends with 1 and the reason after an %s', async (how, reason) => {
    const end = await exitDuringRun(how);
    expect(end).toMatchObject({ code: 1, signal: null });
    expect(end.stderr).toContain(reason);
    expect(end.stderr).not.toMatch(/FATAL|Native stack trace|terminate called/);
  });

  it('ends by itself when its requests were cancelled, though a sink is still open', async () => {
    expect(await exitDuringRun('the end of all work, with a cancelled request and an idle sink')).toMatchObject({ ...SILENT, code: 0 });
  });

  it('ends by itself after stopEngine, which answers what was in flight', async () => {
    expect(await exitDuringRun('stopEngine, then the end of all work')).toMatchObject({ ...SILENT, code: 0 });
  });

  it('runs no exit handler after exitNow', async () => {
    expect(await exitDuringRun('exitNow without exit handlers')).toMatchObject({ ...SILENT, code: 9 });
  });

  it('dies of SIGTERM when it has no handler', async () => {
    const end = await runScenario('exit.mjs', ['a signal from outside'], { ...QUICKLY, signalOnOutput: 'SIGTERM' });
    expect(end).toMatchObject({ code: null, signal: 'SIGTERM', stderr: '' });
    expect(end.ms).toBeLessThan(2000);
  });
});

describe('a process that leaves while a model file is read', () => {
  it('waits for a load that ends soon', async () => {
    expect(await runScenario('load-at-exit.mjs', ['stopEngine while the load ends'], QUICKLY)).toMatchObject({ ...SILENT, code: 0 });
  });

  it('leaves by exitNow, with its code, when the load does not end', async () => {
    expect(await runScenario('load-at-exit.mjs', ['process.exit before the load ends'], QUICKLY)).toMatchObject({ ...SILENT, code: 7 });
  });

  it('keeps its code even when nobody asks before it leaves', async () => {
    expect(await runScenario('load-at-exit.mjs', ['process.exit without any care'], QUICKLY)).toMatchObject({
      code: 7,
      signal: null,
      stderr: '',
    });
  });

  it('survives a load that outlives its worker', async () => {
    expect(await runScenario('load-at-exit.mjs', ['the load ends after its worker'], QUICKLY)).toMatchObject({ ...SILENT, code: 0 });
  });
});

describe('a process that leaves while its native front end answers', () => {
  const leave = (how: string): Promise<ScenarioEnd> => runScenario('front-end-at-exit.mjs', [how], QUICKLY);

  it('keeps the code of process.exit', async () => {
    expect(await leave('process.exit without any care')).toMatchObject({ ...SILENT, code: 7 });
  });

  it('ends by itself when there is nothing else to do', async () => {
    expect(await leave('the end of all work')).toMatchObject({ ...SILENT, code: 0 });
  });

  it('ends its connections before it waits for models', async () => {
    expect(await leave('process.exit while a model file is read')).toMatchObject({ ...SILENT, code: 7, stderr: 'closed before the end' });
  });

  it('survives a front end that ends with its worker, and starts another', async () => {
    expect(await leave('the end of its worker')).toMatchObject({ ...SILENT, code: 0 });
  });
});
