import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import type { NativeGauges, NativeStatistics } from '../../../src/bridge/addon.js';
import { registerGpuHealth, registerGpuMetrics, type GpuReadings } from '../../../src/management/gpu-metrics.js';
import { gpuWithoutNvml, healthyGpu, healthyProbe } from '../../support/gpu-states.js';

const gauges = { pinnedPoolBytes: 1000, pinnedUsedBytes: 600, pinnedFallbackBlocks: 2, pinnedFallbackBytes: 64 } as NativeGauges;
const memory = [
  { kind: 'GPU', gpuUuid: 'GPU-1234', id: 0, bytes: 5000 },
  { kind: 'CPU', gpuUuid: '', id: 0, bytes: 70 },
];
const statistics = [
  { model: 'digits', version: 2, memory, batchLimit: 0 },
  { model: 'large', version: 1, memory: [], batchLimit: 8 },
] as unknown as NativeStatistics[];

async function linesOf(readings: Partial<GpuReadings>): Promise<string[]> {
  const registry = new Registry();
  registerGpuMetrics(registry, () => ({ states: [], statistics: [], gauges, ...readings }));
  return (await registry.metrics()).split('\n');
}

it("writes Triton's names in Triton's units, and ours", async () => {
  const sick = {
    ...{ ...healthyGpu, throttleReasons: 0x44, throttled: true, lastXid: 63, xidCount: 2, outOfMemoryCount: 3, remapPending: true },
    canary: { ...healthyProbe, runs: 7, mismatches: 1 },
  };
  const lines = await linesOf({ states: [sick], statistics });
  const gpu = 'gpu_uuid="GPU-1234"';
  for (const line of [
    '# TYPE nv_energy_consumption counter',
    '# TYPE nv_gpu_utilization gauge',
    `nv_gpu_utilization{${gpu}} 0.5`,
    `nv_gpu_memory_total_bytes{${gpu}} 85899345920`,
    `nv_gpu_memory_used_bytes{${gpu}} ${3.1 * 2 ** 30}`,
    `nv_gpu_power_usage{${gpu}} 300`,
    `nv_gpu_power_limit{${gpu}} 700`,
    `nv_energy_consumption{${gpu}} 5000`,
    'nv_pinned_memory_pool_total_bytes 1000',
    'nv_pinned_memory_pool_used_bytes 600',
    'penstock_pinned_fallback_blocks_total 2',
    'penstock_pinned_fallback_bytes_total 64',
    `penstock_gpu_temperature_celsius{${gpu}} 54`,
    `penstock_gpu_throttle_reason{${gpu},reason="sw_power_cap"} 1`,
    `penstock_gpu_throttle_reason{${gpu},reason="hw_thermal_slowdown"} 1`,
    `penstock_gpu_throttle_reason{${gpu},reason="hw_slowdown"} 0`,
    `penstock_gpu_ecc_errors_total{${gpu},kind="corrected"} 3`,
    `penstock_gpu_ecc_errors_total{${gpu},kind="uncorrected"} 0`,
    `penstock_gpu_row_remap{${gpu},state="pending"} 1`,
    `penstock_gpu_row_remap{${gpu},state="failed"} 0`,
    `penstock_gpu_xid_events_total{${gpu}} 2`,
    `penstock_gpu_last_xid{${gpu}} 63`,
    `penstock_gpu_recovery_action{${gpu}} 0`,
    `penstock_gpu_pcie_bytes_per_second{${gpu},direction="to_gpu"} 1000`,
    `penstock_gpu_pcie_bytes_per_second{${gpu},direction="from_gpu"} 2000`,
    `penstock_gpu_out_of_memory_total{${gpu}} 3`,
    `penstock_gpu_probe_runs_total{${gpu},probe="memory"} 12`,
    `penstock_gpu_probe_runs_total{${gpu},probe="canary"} 7`,
    `penstock_gpu_probe_mismatches_total{${gpu},probe="canary"} 1`,
    `penstock_model_memory_bytes{model="digits",version="2",${gpu},kind="GPU"} 5000`,
    'penstock_model_memory_bytes{model="digits",version="2",gpu_uuid="",kind="CPU"} 70',
    'penstock_batch_limit_rows{model="large",version="1"} 8',
  ]) {
    expect(lines).toContain(line);
  }
  expect(lines.filter((line) => line.startsWith('penstock_batch_limit_rows{'))).toHaveLength(1);
});

it('has no sample for what NVML does not give', async () => {
  const lines = (await linesOf({ states: [gpuWithoutNvml] })).filter((line) => line.includes('gpu_uuid='));
  expect([...new Set(lines.map((line) => line.split('{')[0]))].sort()).toEqual([
    'penstock_gpu_out_of_memory_total',
    'penstock_gpu_probe_mismatches_total',
    'penstock_gpu_probe_runs_total',
  ]);
});

it('tells what is wrong with each GPU, or that nothing is', async () => {
  const registry = new Registry();
  registerGpuHealth(registry, () => [
    { uuid: 'GPU-a', causes: [] },
    { uuid: 'GPU-b', causes: ['hang', 'throttled'] },
  ]);
  const lines = (await registry.metrics()).split('\n').filter((line) => line.startsWith('penstock_'));
  expect(lines).toEqual([
    'penstock_gpu_health{gpu_uuid="GPU-a",cause="ok"} 1',
    'penstock_gpu_health{gpu_uuid="GPU-b",cause="hang"} 1',
    'penstock_gpu_health{gpu_uuid="GPU-b",cause="throttled"} 1',
  ]);
});
