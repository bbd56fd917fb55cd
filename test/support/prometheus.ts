/** A page of metrics in Prometheus' text format, read. */
export interface MetricSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export class MetricsPage {
  readonly samples: readonly MetricSample[];
  /** Family -> counter, gauge, histogram or summary. */
  readonly types: ReadonlyMap<string, string>;

  constructor(text: string) {
    const lines = text.split('\n').filter((line) => line !== '');
    this.types = new Map(lines.flatMap((line) => typeLine(line)));
    this.samples = lines.filter((line) => !line.startsWith('#')).map(sampleOf);
  }

  static async of(managementUrl: string): Promise<MetricsPage> {
    return new MetricsPage(await (await fetch(`${managementUrl}/metrics`)).text());
  }

  /** Samples of this name whose labels contain these. */
  all(name: string, labels: Readonly<Record<string, string>> = {}): MetricSample[] {
    return this.samples.filter(
      (sample) => sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
    );
  }

  /** The one sample of this name and these labels. */
  value(name: string, labels: Readonly<Record<string, string>> = {}): number {
    const [sample, ...more] = this.all(name, labels);
    if (sample === undefined || more.length > 0) {
      throw new Error(`expected one ${name}${JSON.stringify(labels)}, found ${sample === undefined ? 0 : more.length + 1}`);
    }
    return sample.value;
  }
}

function typeLine(line: string): [string, string][] {
  const [, family, type] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
  return family === undefined || type === undefined ? [] : [[family, type]];
}

function sampleOf(line: string): MetricSample {
  const [, name, labels = '', value] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
  if (name === undefined || value === undefined) throw new Error(`not a sample: ${line}`);
  const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label = '', text = '']): [string, string] => [label, text]);
  return { name, labels: Object.fromEntries(pairs), value: value === '+Inf' ? Infinity : Number(value) };
}
