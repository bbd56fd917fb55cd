import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { EXAMPLE_PRICES, kindOfGpu, priceOfReplica, readPrices } from '../../../../src/planning/plan/prices.js';

function fileOf(content: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-prices-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'prices.yaml'), content);
  return join(folder, 'prices.yaml');
}

function read(content: string | undefined): { table: ReturnType<typeof readPrices>; faults: string[] } {
  const faults: string[] = [];
  return { table: readPrices(content === undefined ? '' : fileOf(content), faults), faults };
}

describe('the table of prices', () => {
  it('is an example that says so, and can be edited and read again', () => {
    expect(read(undefined).table.isExample).toBe(true);
    expect(EXAMPLE_PRICES).toContain('EXAMPLES, TO BE EDITED');
    const { table, faults } = read(EXAMPLE_PRICES.replace('L4: 0.8', 'L4: 0.33').replace('USD', 'EUR'));
    expect(faults).toEqual([]);
    expect(table).toMatchObject({ currency: 'EUR', isExample: false });
    expect(table.perHour.get('L4')).toBe(0.33);
  });

  it.each([
    ['NVIDIA H100 80GB HBM3', 'H100'],
    ['NVIDIA A100-SXM4-80GB', 'A100-80GB'],
    ['NVIDIA A100-PCIE-40GB', 'A100-40GB'],
    ['NVIDIA L4', 'L4'],
    ['NVIDIA L40S', 'L40S'],
    ['NVIDIA A10G', 'A10G'],
    ['Tesla T4', 'T4'],
    ['NVIDIA H200', 'H200'],
    ['NVIDIA A10', undefined],
    ['NVIDIA CPU core', undefined],
  ])('knows %s as %s', (name, kind) => {
    expect(kindOfGpu(read(undefined).table, name)).toBe(kind);
  });

  it('gives the price of a replica by its GPU, by its cores, or by the kind that is asked for', () => {
    const { table } = read('currency: EUR\nper_hour: { cpu-core: 0.04, H100: 3, mine: 7 }\n');
    expect(priceOfReplica(table, '', { gpu: 'NVIDIA H100 PCIe', cpus: 16 })).toEqual({ kind: 'H100', perHour: 3 });
    expect(priceOfReplica(table, '', { gpu: null, cpus: 4 })).toEqual({ kind: '4 x cpu-core', perHour: 0.16 });
    expect(priceOfReplica(table, 'mine', { gpu: null, cpus: 4 })).toEqual({ kind: 'mine', perHour: 7 });
    expect(priceOfReplica(table, '', { gpu: 'NVIDIA H100 PCIe', gpus: 2, cpus: 16 })).toEqual({ kind: '2 x H100', perHour: 6 });
    expect(priceOfReplica(table, '', { gpu: 'NVIDIA B200', cpus: 4 })).toBeUndefined();
  });

  it('is refused with everything that is wrong', () => {
    expect(read('per_hour: { H100: free, L4: -1, T4: 1 }').faults.map((fault) => fault.replace(/^--prices: \S+: /, ''))).toEqual([
      'currency is not a text such as USD',
      'per_hour.H100: "free" is not a number from 0',
      'per_hour.L4: -1 is not a number from 0',
    ]);
    expect(read('[1, 2]').faults).toHaveLength(2);
    expect(read('a: {').faults).toHaveLength(1);
    const faults: string[] = [];
    readPrices('/nope/prices.yaml', faults);
    expect(faults[0]).toContain('--prices: /nope/prices.yaml: ENOENT');
  });
});
