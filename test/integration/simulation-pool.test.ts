import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { simulate } from '../../src/bridge/simulation.js';
import type { SimulationPool } from '../../src/planning/server-model/simulation-pool.js';
import { repositoryRoot } from '../support/server-process.js';
import { atMoments, simulationJob } from '../support/simulated-fleet.js';

/* As it is built: a worker thread cannot be made of TypeScript. */
const built = pathToFileURL(join(repositoryRoot, 'dist/planning/server-model/simulation-pool.js')).href;
let Pool: typeof SimulationPool;
let pool: SimulationPool;

beforeAll(async () => {
  ({ SimulationPool: Pool } = (await import(built)) as { SimulationPool: typeof SimulationPool });
  pool = new Pool(2);
});

afterAll(() => pool.close());

/** Half a minute of work at least. */
const endless = simulationJob({ arrivals: { kind: 'poisson', rate: 4_900_000, shape: 1, momentsS: [], lengthS: 10 } });
const wrong = simulationJob({ rowsPerRequest: 2, batching: { ...endless.batching, maxBatchRows: 1 }, servers: 0 });

describe('a pool of simulations', () => {
  it('gives the results in the order of the jobs, the same as one after the other', async () => {
    const jobs = Array.from({ length: 20 }, (_, index) =>
      simulationJob({ seed: index, arrivals: { kind: 'poisson', rate: 150, shape: 1, momentsS: [], lengthS: index % 3 === 0 ? 1000 : 1 } }),
    );
    expect(await pool.run(jobs)).toEqual(jobs.map((job) => simulate(job)));
  });

  it('takes calls beside each other, and none at all', async () => {
    const [none, one, two] = await Promise.all([
      pool.run([]),
      pool.run([simulationJob({ arrivals: atMoments(0) })]),
      pool.run([simulationJob({ arrivals: atMoments(0, 1) }), simulationJob({ arrivals: atMoments() })]),
    ]);
    expect([none, one, two].map((results) => results?.map(({ requests }) => requests))).toEqual([[], [1], [2, 0]]);
  });

  it('names the job that makes no sense, and ends the others', async () => {
    await expect(pool.run([endless, endless, wrong, endless].reverse())).rejects.toMatchObject({
      code: 'ERR_CONFIG_OPTION',
      message: 'simulation 2 of 4: simulate.servers: expected 1 to 20000, not 0',
    });
    expect(await pool.run([simulationJob()])).toHaveLength(1);
  });

  it('ends all of them when it is told to, and can be used again', async () => {
    const stop = new AbortController();
    const running = pool.run(
      Array.from({ length: 40 }, () => endless),
      stop.signal,
    );
    const enough = new Error('enough');
    setTimeout(() => stop.abort(enough), 100);
    await expect(running).rejects.toBe(enough);
    await expect(pool.run([endless], stop.signal)).rejects.toBe(enough);
    expect(await pool.run([simulationJob()])).toHaveLength(1);
  });

  it('closes while it simulates, twice, and takes nothing more', async () => {
    const other = new Pool(1);
    const running = other.run([endless, endless]).catch((thrown: unknown) => thrown);
    await Promise.all([other.close(), other.close()]);
    expect(await running).toMatchObject({ code: 'ERR_CLOSED' });
    await expect(other.run([simulationJob()])).rejects.toMatchObject({ code: 'ERR_CLOSED' });
  });
});
