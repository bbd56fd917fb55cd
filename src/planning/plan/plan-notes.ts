/** What a reader of a plan must know about how it came about. */
import { MOST_REPLICAS } from '../../manifests/choices.js';
import { relativeChange, speedChange } from '../measure/speed-change.js';
import type { PlanDraft } from './plan-draft.js';
import type { PlanOptions } from './plan-options.js';
import type { Plan } from './plan.js';
import type { Hardware } from './prices.js';

type Fields = Readonly<Record<string, unknown>>;
/** Beyond it what was measured at one time says little of another. */
const NOTED_SPEED_CHANGE = 0.15;

type Choices = Pick<PlanOptions, 'prices' | 'pricePerHour' | 'maxReplicas'>;

/** Adds the notes on the machine, the replicas and the prices to the draft. */
export function noteCircumstances(
  options: Choices,
  draft: PlanDraft,
  hardware: Hardware,
  machine: Plan['machine'],
  config: Fields | null,
): void {
  noteMachine(draft, hardware, machine, config);
  noteFleet(options, draft);
}

function noteMachine(draft: PlanDraft, { gpu, gpus = 1, cpus }: Hardware, machine: Plan['machine'], config: Fields | null): void {
  if (draft.trials.length === 0) return;
  if (draft.lateOnCurve > 0) {
    draft.note(
      `At ${draft.lateOnCurve} of the rates of the curve the load generator was late itself: latency there is at most what it shows.`,
    );
  }
  const change = speedChange(draft.trials);
  if (change !== null && relativeChange(change) > NOTED_SPEED_CHANGE) {
    const times = `${change.fastestMs.toPrecision(3)} ms at one time and ${change.slowestMs.toPrecision(3)} ms at another`;
    draft.note(
      `The machine changed its speed while it was measured: a run of ${change.rows} ${change.rows === 1 ? 'row' : 'rows'} took ${times}. Figures may be as far off.`,
    );
  }
  if (gpu === null) draft.note(`The load generator shared ${cpus} cores with the server: one that has them for itself does more.`);
  if (gpu !== null && gpus > 1)
    draft.note(`A replica is one server with ${gpus} GPUs: so it was measured, and so many each replica needs.`);
  if (gpu === null && machine['gpu'] !== undefined) {
    draft.note(`A GPU (${machine['gpu']}) is there, but the model ran on the CPU: ${whyNotOnGpu(machine, config)}.`);
  }
}

function whyNotOnGpu(machine: Plan['machine'], config: Fields | null): string {
  const groups = config?.['instance_group'];
  const [first] = (Array.isArray(groups) ? groups : [groups]) as readonly ({ readonly kind?: unknown } | undefined)[];
  if (first?.kind === 'KIND_CPU') return 'its configuration says KIND_CPU';
  const visible = machine['env CUDA_VISIBLE_DEVICES'];
  if (visible !== undefined) return `CUDA_VISIBLE_DEVICES is "${visible}"`;
  return 'the server found that it cannot use it, and its log says why';
}

function noteFleet({ prices, pricePerHour, maxReplicas }: Choices, draft: PlanDraft): void {
  const { replicas, autoscaling, cost } = draft.fleet;
  if (replicas !== null && maxReplicas !== null && maxReplicas < replicas.total) {
    draft.note(`--max-replicas ${maxReplicas} is less than the ${replicas.total} replicas that the load needs: an autoscaler stops there.`);
  }
  if (replicas !== null && replicas.total > MOST_REPLICAS) {
    draft.note(`${replicas.total} replicas are more than one Deployment may have (${MOST_REPLICAS}): there is no kustomization.yaml.`);
  }
  if (autoscaling?.ramp.isMet === false) {
    draft.note(
      `The headroom does not last until the next pod is ready (${autoscaling.delaySeconds} s): more --headroom or --min-replicas, or a faster start.`,
    );
  }
  if (prices.isExample && pricePerHour === null && cost !== null) {
    draft.note('Prices are examples: --price-per-hour or --prices has yours.');
  }
}
