/** The measured point of saturation as autoscalers see it. */
import type { Plan } from './plan.js';

export interface AutoscalerTargets {
  /** Requests per second of a replica. */
  readonly rate: number;
  /** Requests that wait in a replica: more than leave in the time of the goal cannot be answered in time. */
  readonly queue: number;
  /** Of the slowest replica; null where the goal allows so many to be late that p95 says nothing about it. */
  readonly p95Ms: number | null;
}

/** What the manifests measure. */
const PERCENTILE = 95;

/** null: the plan has no autoscaling. */
export function autoscalerTargets({ autoscaling, goal }: Pick<Plan, 'autoscaling' | 'goal'>): AutoscalerTargets | null {
  if (autoscaling === null) return null;
  const { targetRate: rate } = autoscaling;
  return {
    rate,
    queue: Math.max(1, Math.floor((rate * goal.latencyMs) / 1000)),
    p95Ms: goal.percentile < PERCENTILE ? null : goal.latencyMs,
  };
}
