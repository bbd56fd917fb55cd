/** Metrics of the process itself: CPU, memory, descriptors, garbage collection and the event loop of the main thread. */
import { Gauge, Registry, collectDefaultMetrics } from 'prom-client';

/** Gauges that prom-client names as if they were counters; the same numbers come by kind under the name without "_total". */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

export interface BuildInfo {
  readonly version: string;
  readonly ortVersion: string;
}

/** A registry with everything about the process in it. Created once on the main thread. */
export function createRegistry(build: BuildInfo): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  new Gauge({
    name: 'penstock_build_info',
    help: 'Always 1; the labels say which server and which ONNX Runtime this is.',
    labelNames: ['version', 'ort_version'],
    registers: [registry],
  }).set({ version: build.version, ort_version: build.ortVersion }, 1);
  return registry;
}
