/** Trials of a queue whose misses come in clusters: M/D/1, by the recursion of D. V. Lindley (1952). */
import type { LatencyGoal, Trial, TrialLoad } from '../../../../src/planning/measure/trial.js';
import { PARTS, randomNumbers, resultOf, SETTINGS } from './simulated-server.js';

export interface Queue {
  /** Milliseconds. */
  readonly runMs: number;
  readonly goal: LatencyGoal;
  /** Of the runs: those that take longer by this factor; 1 in `slowOneIn`. */
  readonly slowFactor?: number;
  readonly slowOneIn?: number;
}

export class SimulatedQueue {
  nowS = 0;
  readonly #queue: Queue;

  constructor(queue: Queue) {
    this.#queue = queue;
  }

  readonly clock = (): number => this.nowS;

  /** In an open loop with arrivals at random, and warm-up; in a closed one, run after run. */
  measure(load: TrialLoad): Trial {
    const { runMs, goal, slowFactor = 1, slowOneIn = 1 } = this.#queue;
    const random = randomNumbers(load.seed);
    const warmUpMs = Math.min(1000, load.seconds * 250);
    const countedMs = load.seconds * 1000;
    const parts = Array.from({ length: PARTS }, (): [number, number] => [0, 0]);
    let [atMs, waitMs] = [0, 0];
    for (;;) {
      const gapMs = load.rate === null ? runMs : -Math.log(1 - random()) * (1000 / load.rate);
      atMs += gapMs;
      if (atMs >= warmUpMs + countedMs) break;
      waitMs = load.rate === null ? 0 : Math.max(0, waitMs - gapMs);
      const takesMs = slowFactor > 1 && random() * slowOneIn < 1 ? runMs * slowFactor : runMs;
      waitMs += takesMs;
      const part = parts[Math.min(PARTS - 1, Math.floor(((atMs - warmUpMs) / countedMs) * PARTS))];
      if (part === undefined) continue;
      part[0]++;
      if (waitMs > goal.latencyMs) part[1]++;
    }
    this.nowS += (countedMs + warmUpMs) / 1000 + 0.2;
    const result = resultOf(parts, runMs, null, goal.latencyMs);
    const answered = { ...result, rate_wanted: load.rate, rate_answered: Math.min(load.rate ?? Infinity, 1000 / runMs) };
    return { settings: SETTINGS, gpus: 0, load, result: answered, batches: [], laneCpuMs: 0.1, frontEndCpuMs: 0.1 };
  }
}
