/** The flags of `penstock plan` and what they mean. */

export const AUTOSCALERS = ['none', 'hpa', 'keda'] as const;

const text = (value: string) => ({ type: 'string', default: value }) as const;
export const PERCENTILES = [50, 90, 95, 99] as const;
export const FLAGS = {
  'latency-p50': text(''),
  'latency-p90': text(''),
  'latency-p95': text(''),
  'latency-p99': text(''),
  load: text(''),
  out: text(''),
  arrivals: text('poisson'),
  'batch-size': text('1'),
  shape: { type: 'string', multiple: true, default: [] as string[] },
  data: text('random'),
  budget: text('4m'),
  precisions: text(''),
  headroom: text('0.2'),
  spare: text('1'),
  kind: text(''),
  'price-per-hour': text(''),
  prices: text(''),
  currency: text(''),
  'min-replicas': text(''),
  'max-replicas': text(''),
  'start-up-time': text('60s'),
  'device-shared-by': text('1'),
  autoscaler: text('hpa'),
  k8s: text(''),
  seed: text('1'),
} as const;

/** The flag that only prints the table of prices. */
export const PRINT_PRICES = '--print-prices';

export function planHelp(): string {
  return `usage: penstock plan MODEL_DIR --latency-p99 20ms --load 2000/s --out DIR [flags]
       penstock plan ${PRINT_PRICES} > prices.yaml

Says how many servers (GPUs) a model needs: starts servers of its own with the model, searches for the settings with which one sustains the
highest rate within the latency goal, and works out replicas, autoscaling and cost. Nothing else should run on the machine meanwhile.
DIR gets plan.json, report.html, config.pbtxt (the chosen settings), kustomization.yaml and, in runs/, each measurement. The same command
goes on where an earlier one was stopped; another plan of the same model takes the place of an earlier one as soon as something was measured.

  --latency-p99 T         the goal: 99 % of the requests are answered within T, such as 20ms (us, ms, s); or -p95, -p90, -p50
  --load R                that all replicas together are to carry, such as 2000/s (/s, /min, /h)
  --out DIR               is made; or the folder of an earlier plan of the same model
  --arrivals KIND         poisson, constant, gamma:SHAPE (bursts: SHAPE below 1) [default: ${FLAGS.arrivals.default}]
  --batch-size B          rows of a request, for inputs whose first dimension is free [default: ${FLAGS['batch-size'].default}]
  --shape NAME:D,D,...    the whole shape of an input; needed where another dimension is free; may be given several times
  --data KIND             random or zeros [default: ${FLAGS.data.default}]
  --budget T              for measuring, such as 90s or 10m; more gives narrower intervals [default: ${FLAGS.budget.default}]
  --precisions P,P        of a GPU, to be tried, the first one first: tf32, fp32 [default: as the model's configuration has it]
  --headroom SHARE        of what one replica sustains, left free on purpose, 0 to 0.9 [default: ${FLAGS.headroom.default}]
  --spare N               replicas that may fail at one time without the goal being missed [default: ${FLAGS.spare.default}]
  --min-replicas N        of the autoscaler [default: one, and the spare ones]
  --max-replicas N        [default: for twice the load]
  --start-up-time T       from the start of a pod until it answers, such as 90s [default: ${FLAGS['start-up-time'].default}]
  --device-shared-by N    models that share the GPU of a replica, all of them busy [default: ${FLAGS['device-shared-by'].default}]
  --autoscaler KIND       of the kustomization: ${AUTOSCALERS.join(', ')} [default: ${FLAGS.autoscaler.default}]
  --k8s PATH              path or URL of the folder k8s, which the kustomization names from DIR on [default: that of this checkout]
  --kind NAME             row of the table of prices [default: the one that fits the GPU, or the cores]
  --prices FILE           a table of your own, made from what ${PRINT_PRICES} prints; the prices of ours are examples
  --price-per-hour X      of one replica, instead of a table; --currency NAME
  --seed N                of arrivals and data [default: ${FLAGS.seed.default}]

Ctrl-C ends the measuring and makes the plan of what there is.
exit codes: 0 planned, 64 bad usage, no such model or a goal that no setting can meet, 70 a measured server died or did not start, 73 the model's
configuration is wrong or DIR cannot be written, 75 the measurement does not suffice (the machine was busy, say), 130 and 143 ended early by a
signal; what was measured is kept in DIR each time`;
}
