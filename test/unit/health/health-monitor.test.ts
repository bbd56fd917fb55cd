import { expect, it } from 'vitest';
import type { HealthSnapshot } from '../../../src/bridge/health-snapshot.js';
import { HealthMonitor } from '../../../src/health/health-monitor.js';

function monitored() {
  const published: HealthSnapshot[] = [];
  const changes: string[] = [];
  const state = { now: 0, loaded: false };
  const monitor = new HealthMonitor({
    intervalMs: 200,
    rules: { strictReadiness: false, maxBlockedMs: 2000 },
    facts: () => ({
      loading: { over: state.loaded, done: 0, total: 1 },
      models: [],
      frontEnds: { listening: 1, expected: 1 },
      exiting: false,
    }),
    publish: (snapshot) => published.push(snapshot),
    onChange: (snapshot) => changes.push(`live ${snapshot.live}, ready ${snapshot.ready}`),
    now: () => state.now,
  });
  return { monitor, state, published, changes };
}

it('publishes at every turn and reports only what changed', () => {
  const { monitor, state, published, changes } = monitored();
  monitor.update();
  state.now = 200;
  monitor.turn();
  state.loaded = true;
  monitor.update();
  expect(published).toHaveLength(3);
  expect(changes).toEqual(['live true, ready false', 'live true, ready true']);
});

it('reports a stall of the main thread once it turns again, and recovers at the next turn', () => {
  const { monitor, state, published } = monitored();
  state.now = 3000;
  monitor.turn();
  expect(published.at(-1)?.checks.live).toEqual([
    { name: 'main-thread-progress', ok: false, reason: 'the main thread stood still for 2800 ms' },
  ]);
  state.now = 3200;
  monitor.turn();
  expect(published.at(-1)?.live).toBe(true);
});
