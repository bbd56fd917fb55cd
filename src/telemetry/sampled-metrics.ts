/**
 * Metrics whose numbers are counted elsewhere and only read when somebody scrapes: nothing is paid between two scrapes.
 * Each takes a `read` function that gives one sample for each set of labels.
 */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

export interface HistogramSample {
  readonly labels: Labels;
  /** One count for each bound, then one for what is above the last; not cumulative. */
  readonly buckets: readonly number[];
  readonly count: number;
  readonly sum: number;
}

export interface MetricNames {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
}

/** A registry asks all its metrics in one go, so readings are kept until the event loop turns: a page comes from one moment. */
export function oncePerScrape<T extends object>(read: () => T): () => T {
  let kept: T | undefined;
  return () => {
    if (kept === undefined) {
      kept = read();
      setImmediate(() => (kept = undefined));
    }
    return kept;
  };
}

export function sampledCounter(registry: Registry, names: MetricNames, read: () => Iterable<Sample>): void {
  new Counter({
    ...names,
    registers: [registry],
    collect() {
      this.reset();
      for (const { labels, value } of read()) this.inc(labels, value);
    },
  });
}

export function sampledGauge(registry: Registry, names: MetricNames, read: () => Iterable<Sample>): void {
  new Gauge({
    ...names,
    registers: [registry],
    collect() {
      this.reset();
      for (const { labels, value } of read()) this.set(labels, value);
    },
  });
}

/** `bounds`: upper bounds of the buckets in the metric's unit, ascending, without infinity. */
export function sampledHistogram(
  registry: Registry,
  names: MetricNames,
  bounds: readonly number[],
  read: () => Iterable<HistogramSample>,
): void {
  new SampledHistogram(registry, names, bounds, read);
}

interface HistogramLine {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** prom-client's histogram only counts what it is told one by one; this one hands over counts that exist already. */
class SampledHistogram extends Histogram {
  readonly #names: MetricNames;
  readonly #bounds: readonly number[];
  readonly #read: () => Iterable<HistogramSample>;

  constructor(registry: Registry, names: MetricNames, bounds: readonly number[], read: () => Iterable<HistogramSample>) {
    super({ ...names, buckets: [...bounds], registers: [registry] });
    this.#names = names;
    this.#bounds = bounds;
    this.#read = read;
  }

  /** What the registry asks a metric for; `get()` goes through it too. */
  getForPromString(): Promise<object> {
    const { name, help } = this.#names;
    const values = [...this.#read()].flatMap((sample) => this.#lines(sample));
    return Promise.resolve({ name, help, type: 'histogram', aggregator: 'sum', values });
  }

  #lines({ labels, buckets, count, sum }: HistogramSample): HistogramLine[] {
    const { name } = this.#names;
    const lines: HistogramLine[] = [];
    let below = 0;
    this.#bounds.forEach((bound, index) => {
      below += buckets[index] ?? 0;
      lines.push({ metricName: `${name}_bucket`, labels: { le: bound, ...labels }, value: below });
    });
    lines.push(
      { metricName: `${name}_bucket`, labels: { le: '+Inf', ...labels }, value: count },
      { metricName: `${name}_sum`, labels, value: sum },
      { metricName: `${name}_count`, labels, value: count },
    );
    return lines;
  }
}
