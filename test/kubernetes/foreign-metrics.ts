/** Metrics that others export and our manifests may ask for, by who exports them. */

/** The exporter's etc/default-counters.csv: what is on by default. Others exist, and an alert on them would silently never fire. */
const DCGM_DEVICE =
  'SM_CLOCK MEM_CLOCK MEMORY_TEMP GPU_TEMP POWER_USAGE TOTAL_ENERGY_CONSUMPTION PCIE_REPLAY_COUNTER GPU_UTIL MEM_COPY_UTIL ENC_UTIL DEC_UTIL ' +
  'XID_ERRORS FB_FREE FB_USED FB_RESERVED NVLINK_BANDWIDTH_TOTAL VGPU_LICENSE_STATUS UNCORRECTABLE_REMAPPED_ROWS CORRECTABLE_REMAPPED_ROWS ' +
  'ROW_REMAP_FAILURE';
const DCGM_PROFILING = 'GR_ENGINE_ACTIVE PIPE_TENSOR_ACTIVE DRAM_ACTIVE PCIE_TX_BYTES PCIE_RX_BYTES';

export const foreignMetrics: ReadonlySet<string> = new Set([
  ...DCGM_DEVICE.split(' ').map((name) => `DCGM_FI_DEV_${name}`),
  ...DCGM_PROFILING.split(' ').map((name) => `DCGM_FI_PROF_${name}`),
  // Prometheus itself.
  'up',
  'ALERTS',
  'scrape_duration_seconds',
  // kube-state-metrics, docs/metrics.
  'kube_pod_container_status_restarts_total',
  'kube_pod_container_status_waiting_reason',
  'kube_pod_container_status_last_terminated_reason',
  'kube_pod_container_status_ready',
  'kube_pod_status_phase',
  'kube_pod_status_ready',
  'kube_pod_labels',
  'kube_deployment_spec_replicas',
  'kube_deployment_status_replicas_available',
  'kube_horizontalpodautoscaler_spec_max_replicas',
  'kube_horizontalpodautoscaler_status_current_replicas',
  'kube_horizontalpodautoscaler_status_desired_replicas',
  // cAdvisor, in the kubelet.
  'container_cpu_usage_seconds_total',
  'container_cpu_cfs_periods_total',
  'container_cpu_cfs_throttled_periods_total',
  'container_memory_working_set_bytes',
  // Istio's standard metrics.
  'istio_requests_total',
  'istio_request_duration_milliseconds_bucket',
]);
