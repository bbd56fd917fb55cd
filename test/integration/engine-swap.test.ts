import { afterAll, expect, it } from 'vitest';
import { addon } from '../../src/bridge/addon.js';
import { catalogModel, createFixture, laneThreads, startEngine, TestSink } from '../support/engine.js';
import { fp32 } from '../support/tensors.js';

const SWAPS = 60;
const LANES = 2;

afterAll(() => addon.stopEngine());

async function publish(version: number): Promise<void> {
  const handle = await createFixture('identity_fp32', { modelName: 'm', version, lanes: LANES });
  addon.publishCatalog([catalogModel('m', handle, version)]);
  handle.close();
}

it('versions are swapped under load without a failed request, and the old ones leave nothing behind', async () => {
  startEngine();
  await publish(1);
  const sink = new TestSink();
  const versions = new Set<string>();
  let swapping = true;
  const client = async (): Promise<number> => {
    let answered = 0;
    for (; swapping; answered++) {
      const { status, message, head, ranges } = await sink.infer('m', [fp32('INPUT0', [1, 4096], new Float32Array(4096))]);
      expect([status, message]).toEqual([0, '']);
      versions.add((JSON.parse(String(head)) as { model_version: string }).model_version);
      sink.native.release(ranges);
    }
    return answered;
  };
  const clients = Array.from({ length: 8 }, client);
  let residentEarly = 0;
  for (let version = 2; version <= SWAPS; version++) {
    await publish(version);
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (version === SWAPS / 2) residentEarly = process.memoryUsage.rss();
  }
  const residentLate = process.memoryUsage.rss();
  swapping = false;
  const answered = (await Promise.all(clients)).reduce((sum, count) => sum + count, 0);

  expect(answered).toBeGreaterThan(SWAPS);
  expect(versions.size).toBeGreaterThan(SWAPS / 2);
  await expect.poll(laneThreads).toBe(LANES);
  expect(addon.statistics('m', '').map(({ version }) => version)).toEqual([SWAPS]);
  // A version that stayed would keep a session with its arena and two stacks; what is left is the heap's noise.
  expect(residentLate - residentEarly).toBeLessThan(64 << 20);

  addon.publishCatalog([]);
  await expect.poll(laneThreads).toBe(0);
  expect(addon.gauges()).toMatchObject({ inFlightRequests: 0, blockBytes: 0, ranges: 0 });
});
