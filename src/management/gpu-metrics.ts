/**
 * What is known of the GPUs, under Triton's names (`nv_gpu_*`) and under our own (`penstock_gpu_*`). What NVML does not give has no sample.
 * Registered only where there are GPUs, but for the state of their health, which tells why there is none.
 */
import type { Registry } from 'prom-client';
import type { NativeGauges, NativeStatistics } from '../bridge/engine-readings.js';
import type { NativeGpuState, NativeProbeState } from '../bridge/gpus.js';
import type { GpuTrouble } from '../health/gpu-watch.js';
import { oncePerScrape, sampledCounter, sampledGauge, type Labels, type Sample } from '../telemetry/sampled-metrics.js';

export interface GpuReadings {
  readonly states: readonly NativeGpuState[];
  readonly statistics: readonly NativeStatistics[];
  readonly gauges: NativeGauges;
}

type ReadState = (state: NativeGpuState) => number;
type MetricRow<Of> = readonly [name: string, help: string, read: (of: Of) => number];

/** Names, types and units: Triton's docs/user_guide/metrics.md. */
const TRITON_GAUGES: readonly MetricRow<NativeGpuState>[] = [
  ['nv_gpu_utilization', 'Share of the time in which the GPU ran something, 0 to 1', (of) => of.utilization],
  ['nv_gpu_memory_total_bytes', 'Memory of the GPU', (of) => of.memoryTotalBytes],
  ['nv_gpu_memory_used_bytes', 'Memory of the GPU that is in use, by all processes together', (of) => of.memoryUsedBytes],
  ['nv_gpu_power_usage', 'Watts that the GPU draws', (of) => of.powerWatts],
  ['nv_gpu_power_limit', 'Watts that the GPU may draw', (of) => of.powerLimitWatts],
];

const GAUGES: readonly MetricRow<NativeGpuState>[] = [
  ['penstock_gpu_temperature_celsius', 'Temperature of the GPU', (of) => of.temperatureCelsius],
  ['penstock_gpu_last_xid', 'Last XID event of the GPU since the start, 0 = none', fromNvml((of) => of.lastXid)],
  [
    'penstock_gpu_recovery_action',
    'What the driver wants done: 0 nothing, 1 reset, 2 reboot, 3 drain peers, 4 drain and reset',
    (of) => of.recoveryAction,
  ],
];

const COUNTERS: readonly MetricRow<NativeGpuState>[] = [
  ['nv_energy_consumption', 'Joules that the GPU has used since the driver was loaded', (of) => of.energyJoules],
  ['penstock_gpu_xid_events_total', 'XID events of the GPU', fromNvml((of) => of.xidCount)],
  ['penstock_gpu_out_of_memory_total', 'Allocations on the GPU that failed', (of) => of.outOfMemoryCount],
];

/** NVML's bits of clocks event reasons (nvml.h: nvmlClocksEventReason*). */
const THROTTLE_REASONS: readonly (readonly [reason: string, bit: number])[] = [
  ['gpu_idle', 0x1],
  ['applications_clocks', 0x2],
  ['sw_power_cap', 0x4],
  ['hw_slowdown', 0x8],
  ['sync_boost', 0x10],
  ['sw_thermal_slowdown', 0x20],
  ['hw_thermal_slowdown', 0x40],
  ['hw_power_brake', 0x80],
  ['display_clocks', 0x100],
];

const PROBE_COUNTERS: readonly MetricRow<NativeProbeState>[] = [
  ['penstock_gpu_probe_runs_total', 'Memory probes and canaries that ran', (of) => of.runs],
  ['penstock_gpu_probe_mismatches_total', 'Memory probes and canaries that got a wrong result', (of) => of.mismatches],
];

const GPU_LABELS = ['gpu_uuid'] as const;

/** One series for each cause that holds; "ok" when none does. */
export function registerGpuHealth(registry: Registry, read: () => readonly GpuTrouble[]): void {
  sampledGauge(
    registry,
    { name: 'penstock_gpu_health', help: 'What is wrong with a GPU, "ok" = nothing', labelNames: [...GPU_LABELS, 'cause'] },
    () =>
      read().flatMap(({ uuid, causes }) =>
        (causes.length === 0 ? ['ok'] : causes).map((cause) => ({ labels: { gpu_uuid: uuid, cause }, value: 1 })),
      ),
  );
}

/** `read` is called once a scrape. */
export function registerGpuMetrics(registry: Registry, read: () => GpuReadings): void {
  const readings = oncePerScrape(read);
  const eachGpu =
    (value: ReadState, more: Labels = {}) =>
    (): Sample[] =>
      known(readings().states.map((state) => ({ labels: { gpu_uuid: state.uuid, ...more }, value: value(state) })));

  for (const [name, help, value] of [...TRITON_GAUGES, ...GAUGES])
    sampledGauge(registry, { name, help, labelNames: GPU_LABELS }, eachGpu(value));
  for (const [name, help, value] of COUNTERS) sampledCounter(registry, { name, help, labelNames: GPU_LABELS }, eachGpu(value));
  sampledGauge(
    registry,
    {
      name: 'penstock_gpu_throttle_reason',
      help: 'Why the clocks of the GPU are lower than they could be',
      labelNames: [...GPU_LABELS, 'reason'],
    },
    () =>
      THROTTLE_REASONS.flatMap(([reason, bit]) =>
        eachGpu(({ throttleReasons }) => (throttleReasons < 0 ? -1 : Math.sign(throttleReasons & bit)), { reason })(),
      ),
  );
  sampledCounter(
    registry,
    {
      name: 'penstock_gpu_ecc_errors_total',
      help: 'Memory errors since the driver was loaded',
      labelNames: [...GPU_LABELS, 'kind'],
    },
    () => [...eachGpu((of) => of.eccCorrected, { kind: 'corrected' })(), ...eachGpu((of) => of.eccUncorrected, { kind: 'uncorrected' })()],
  );
  sampledGauge(
    registry,
    {
      name: 'penstock_gpu_row_remap',
      help: 'Whether memory rows wait for remapping, or could not be',
      labelNames: [...GPU_LABELS, 'state'],
    },
    () => [
      ...eachGpu(
        fromNvml((of) => Number(of.remapPending)),
        { state: 'pending' },
      )(),
      ...eachGpu(
        fromNvml((of) => Number(of.remapFailed)),
        { state: 'failed' },
      )(),
    ],
  );
  sampledGauge(
    registry,
    { name: 'penstock_gpu_pcie_bytes_per_second', help: 'Traffic between host and GPU', labelNames: [...GPU_LABELS, 'direction'] },
    () => [
      ...eachGpu((of) => of.pcieRxBytesPerSecond, { direction: 'to_gpu' })(),
      ...eachGpu((of) => of.pcieTxBytesPerSecond, { direction: 'from_gpu' })(),
    ],
  );
  for (const [name, help, value] of PROBE_COUNTERS) {
    sampledCounter(registry, { name, help, labelNames: [...GPU_LABELS, 'probe'] }, () => [
      ...eachGpu(({ probe }) => value(probe), { probe: 'memory' })(),
      ...eachGpu(({ canary }) => value(canary), { probe: 'canary' })(),
    ]);
  }
  registerMemory(registry, readings);
}

function registerMemory(registry: Registry, readings: () => GpuReadings): void {
  const gauge = (name: string, help: string, value: (of: NativeGauges) => number): void =>
    sampledGauge(registry, { name, help, labelNames: [] }, () => [{ labels: {}, value: value(readings().gauges) }]);
  const counter = (name: string, help: string, value: (of: NativeGauges) => number): void =>
    sampledCounter(registry, { name, help, labelNames: [] }, () => [{ labels: {}, value: value(readings().gauges) }]);
  gauge('nv_pinned_memory_pool_total_bytes', 'Page-locked memory that inputs and outputs may have', (of) => of.pinnedPoolBytes);
  gauge('nv_pinned_memory_pool_used_bytes', 'Page-locked memory that they have now', (of) => of.pinnedUsedBytes);
  counter(
    'penstock_pinned_fallback_blocks_total',
    'Blocks that came from ordinary memory for want of page-locked memory',
    (of) => of.pinnedFallbackBlocks,
  );
  counter('penstock_pinned_fallback_bytes_total', 'Bytes of those blocks', (of) => of.pinnedFallbackBytes);
  sampledGauge(
    registry,
    {
      name: 'penstock_model_memory_bytes',
      help: 'Memory that a model holds, as measured after it was warmed up',
      labelNames: ['model', 'version', 'gpu_uuid', 'kind'],
    },
    () =>
      readings().statistics.flatMap(({ model, version, memory }) =>
        memory.map(({ kind, gpuUuid, bytes }) => ({
          labels: { model, version: String(version), gpu_uuid: gpuUuid, kind },
          value: bytes,
        })),
      ),
  );
  sampledGauge(
    registry,
    {
      name: 'penstock_batch_limit_rows',
      help: 'Rows that batches may have after the GPU ran out of memory; no sample = as many as configured',
      labelNames: ['model', 'version'],
    },
    () =>
      readings()
        .statistics.filter(({ batchLimit }) => batchLimit > 0)
        .map(({ model, version, batchLimit }) => ({ labels: { model, version: String(version) }, value: batchLimit })),
  );
}

/** For readings that have no value of their own for "not known". */
function fromNvml(value: ReadState): ReadState {
  return (of) => (of.nvmlUnavailable === '' ? value(of) : -1);
}

function known(samples: readonly Sample[]): Sample[] {
  return samples.filter(({ value }) => value >= 0);
}
