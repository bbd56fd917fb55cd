/** What a replica costs by the hour: a small table that users make their own. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

/** In the form of a file for `--prices`: `penstock plan --print-prices` prints it, for an editor. */
export const EXAMPLE_PRICES = `# Prices of one hour, for: penstock plan ... --prices FILE
#
# EXAMPLES, TO BE EDITED: round figures of the order of what was asked on demand for one GPU of each kind, with its share of the machine, in
# November 2026. Nobody has checked them against a price list, and list prices change: put in what you pay, reserved or spot, by your contract.
currency: USD
per_hour:
  # Of one core (vCPU) with its memory: a replica without a GPU has as many as it was measured with.
  cpu-core: 0.05
  # A GPU is found by its name as the driver has it: each part between the dashes must be a word of it ("NVIDIA A100-SXM4-80GB").
  T4: 0.5
  L4: 0.8
  A10G: 1
  L40S: 2
  A100-40GB: 3
  A100-80GB: 4
  H100: 6
  H200: 8
`;

export const CPU_CORE = 'cpu-core';

export interface PriceTable {
  readonly currency: string;
  /** By kind: of a GPU with its share of the machine, or of a core. */
  readonly perHour: ReadonlyMap<string, number>;
  /** Nobody has put in prices of his own. */
  readonly isExample: boolean;
}

/** `path` empty: ours. Adds a sentence to `faults` for each thing that is wrong with the file. */
export function readPrices(path: string, faults: string[]): PriceTable {
  if (path === '') return tableOf(parse(EXAMPLE_PRICES), true, () => undefined);
  const fault = (what: string): void => void faults.push(`--prices: ${path}: ${what}`);
  let content: unknown;
  try {
    content = parse(readFileSync(path, 'utf8'));
  } catch (thrown) {
    fault(thrown instanceof Error ? thrown.message : String(thrown));
    return { currency: '', perHour: new Map(), isExample: false };
  }
  return tableOf(content, false, fault);
}

function tableOf(content: unknown, isExample: boolean, fault: (what: string) => void): PriceTable {
  const { currency, per_hour: rows } = (typeof content === 'object' && content !== null ? content : {}) as Record<string, unknown>;
  if (typeof currency !== 'string' || currency === '') fault('currency is not a text such as USD');
  const perHour = new Map<string, number>();
  if (typeof rows !== 'object' || rows === null || Array.isArray(rows))
    fault('per_hour is not a list of kinds with their prices, KIND: PRICE');
  else {
    for (const [kind, price] of Object.entries(rows)) {
      if (typeof price === 'number' && price >= 0 && Number.isFinite(price)) perHour.set(kind, price);
      else fault(`per_hour.${kind}: ${JSON.stringify(price)} is not a number from 0`);
    }
  }
  return { currency: typeof currency === 'string' ? currency : '', perHour, isExample };
}

/** The row with the most words in common with the driver's name of a GPU, all of its own among them; undefined = none fits. */
export function kindOfGpu(table: PriceTable, name: string): string | undefined {
  const words = new Set(name.toUpperCase().split(/[^A-Z0-9]+/));
  const parts = (kind: string): string[] => kind.toUpperCase().split('-');
  return [...table.perHour.keys()]
    .filter((kind) => kind !== CPU_CORE && parts(kind).every((part) => words.has(part)))
    .sort((a, b) => parts(b).length - parts(a).length)[0];
}

export interface Price {
  readonly kind: string;
  /** Of one replica. */
  readonly perHour: number;
}

/** What one replica runs on: GPUs of one kind, by the driver's name, or so many cores. */
export interface Hardware {
  readonly gpu: string | null;
  /** Of those; 1 where it is left out. */
  readonly gpus?: number;
  readonly cpus: number;
}

/** `kind` empty: what fits the hardware. Undefined: nobody knows. */
export function priceOfReplica(table: PriceTable, kind: string, { gpu, gpus = 1, cpus }: Hardware): Price | undefined {
  const found = kind !== '' ? kind : gpu === null ? CPU_CORE : kindOfGpu(table, gpu);
  const price = found === undefined ? undefined : table.perHour.get(found);
  if (found === undefined || price === undefined) return undefined;
  const count = found === CPU_CORE ? cpus : gpu === null ? 1 : gpus;
  return { kind: count === 1 && found !== CPU_CORE ? found : `${count} x ${found}`, perHour: price * count };
}
