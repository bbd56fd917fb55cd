import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { openModel } from '../../src/planning/measure/model-under-test.js';
import { RunStore } from '../../src/planning/measure/run-store.js';
import { PlanServers } from '../../src/planning/plan/plan-servers.js';
import { repositoryRoot, shippedModels } from '../support/server-process.js';

const temporary = mkdtempSync(join(tmpdir(), 'penstock-plan-servers-'));
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

/** `config` in place of the model's own; undefined = none. */
async function serversOf(model: string, config: string | undefined, shapes: ReadonlyMap<string, readonly number[]> = new Map()) {
  const folder = join(mkdtempSync(join(temporary, 'm-')), model);
  cpSync(join(model === 'digits' ? join(repositoryRoot, 'models') : shippedModels, model, '1'), join(folder, '1'), { recursive: true });
  if (config !== undefined) writeFileSync(join(folder, 'config.pbtxt'), config);
  const opened = await openModel(folder, { shapes, data: 'random', seed: 1, latencyGoalMs: 0 });
  const store = new RunStore(join(folder, 'runs'), { machine: {}, versions: {}, model: {} });
  const servers = new PlanServers(opened, store, new AbortController().signal, () => {});
  onTestFinished(() => servers.close());
  return servers;
}

describe('the first server of a plan', () => {
  it('tells that requests share batches where the server found rows to be independent', async () => {
    const servers = await serversOf('digits', undefined);
    const own = await servers.ownSettings(2);
    expect(own).toMatchObject({ settings: { maxBatchSize: 64 }, merges: true, inputShapes: { image: [2, 1, 8, 8] } });
    expect(servers.placement).toEqual({ kind: 'cpu' });
  });

  it('has larger batches where requests are larger', async () => {
    const servers = await serversOf('digits', undefined);
    await expect(servers.ownSettings(100)).resolves.toMatchObject({ settings: { maxBatchSize: 100 } });
  });

  it('does not switch batching on for a whole configuration without it', async () => {
    const whole = `max_batch_size: 8
      input { name: "image" data_type: TYPE_FP32 dims: [ 1, 8, 8 ] }
      output { name: "probabilities" data_type: TYPE_FP32 dims: [ 10 ] }`;
    const servers = await serversOf('digits', whole);
    await expect(servers.ownSettings(1)).resolves.toMatchObject({ settings: { maxBatchSize: 8 }, merges: false });
  });

  it('says what contradicts the configuration or each other', async () => {
    const small = await serversOf('digits', 'max_batch_size: 8');
    await expect(small.ownSettings(9)).rejects.toThrow(
      "--batch-size: requests of 9 rows are more than the max_batch_size 8 of the model's",
    );
    for (const config of [undefined, 'max_batch_size: 8']) {
      const contrary = await serversOf('digits', config, new Map([['image', [4, 1, 8, 8]]]));
      const own = contrary.ownSettings(2);
      await expect(own).rejects.toThrow('--shape image:4,1,8,8 has 4 rows, and --batch-size is 2: give both the same number');
      await expect(own).rejects.toMatchObject({ code: 'ERR_CONFIG_OPTION' });
    }
  });
});
