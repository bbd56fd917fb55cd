/**
 * Every start option, once. Parsing and --help are made from this table, so they cannot disagree.
 *
 * An option is a flag (`--http-port`), an environment variable (`PENSTOCK_HTTP_PORT`) and a key of the YAML file (`http-port`).
 * The flag wins over the variable, the variable over the file, the file over the default.
 */
export type OptionType =
  'text' | 'path' | 'paths' | 'boolean' | 'choice' | 'count' | 'decimal' | 'port' | 'bytes' | 'milliseconds' | 'seconds';

export interface OptionRow {
  readonly flag: string;
  readonly type: OptionType;
  readonly default: string | number | boolean | readonly string[];
  readonly description: string;
  /** What 0 (or an empty text) means, where it means something special. */
  readonly zero?: string;
  /** Numbers only, both inclusive; without them 0 and the largest exact integer. */
  readonly min?: number;
  readonly max?: number;
  readonly choices?: readonly string[];
  /** Triton's flag for the same thing; null = Triton has none. Another name than ours is accepted as well. */
  readonly triton: string | null;
}

const MIB = 1024 * 1024;

/** The largest body that one Buffer-backed message and gRPC's 32-bit sizes can carry. */
const MAX_MESSAGE_BYTES = 2 ** 31 - 1;

export const OPTIONS = {
  config: {
    flag: 'config',
    type: 'path',
    default: '',
    zero: 'no file',
    description: 'YAML file with option names as keys',
    triton: null,
  },
  modelRepository: {
    flag: 'model-repository',
    type: 'paths',
    default: ['models'],
    description: 'folder of models, one folder for each; may be given several times (variable: separated by ":")',
    triton: 'model-repository',
  },
  modelName: {
    flag: 'model-name',
    type: 'text',
    default: '',
    zero: 'the repository holds a folder for each model',
    description: 'the one repository given is itself the folder of a model, served under this name',
    triton: null,
  },
  host: { flag: 'host', type: 'text', default: '0.0.0.0', description: 'address that every port listens on', triton: null },
  httpPort: { flag: 'http-port', type: 'port', default: 8000, description: 'port of the V2 HTTP protocol', triton: 'http-port' },
  grpcPort: { flag: 'grpc-port', type: 'port', default: 8001, description: 'port of the V2 gRPC protocol', triton: 'grpc-port' },
  metricsPort: {
    flag: 'metrics-port',
    type: 'port',
    default: 8002,
    description: 'management port: metrics and probes',
    triton: 'metrics-port',
  },
  allowHttp: { flag: 'allow-http', type: 'boolean', default: true, description: 'serve HTTP', triton: 'allow-http' },
  allowGrpc: { flag: 'allow-grpc', type: 'boolean', default: true, description: 'serve gRPC', triton: 'allow-grpc' },
  allowMetrics: {
    flag: 'allow-metrics',
    type: 'boolean',
    default: true,
    description: 'serve metrics and probes on the management port',
    triton: 'allow-metrics',
  },
  maxRequestBytes: {
    flag: 'max-request-bytes',
    type: 'bytes',
    default: 64 * MIB,
    min: 1,
    max: MAX_MESSAGE_BYTES,
    description: 'largest request of either protocol, after decompression',
    triton: 'http-max-input-size',
  },
  frontEnd: {
    flag: 'front-end',
    type: 'choice',
    choices: ['auto', 'native', 'js'],
    default: 'auto',
    description: 'native: C++ answers inference, JavaScript the rest; js: JavaScript answers everything; auto: native where it can be',
    triton: null,
  },
  frontEndThreads: {
    flag: 'front-end-threads',
    type: 'count',
    default: 0,
    max: 64,
    zero: 'half of the CPUs that the cgroup lets this process use, 8 at most',
    description: 'threads that serve the HTTP and the gRPC port together',
    triton: null,
  },
  maxConnections: {
    flag: 'max-connections',
    type: 'count',
    default: 4096,
    min: 1,
    max: 1_000_000,
    description: 'open connections on each of the two serving ports; one may cost three file descriptors while JavaScript answers it',
    triton: null,
  },
  maxInFlightRequests: {
    flag: 'max-in-flight-requests',
    type: 'count',
    default: 4096,
    zero: 'no limit',
    description: 'accepted requests without an answer, of all models; more are refused as unavailable',
    triton: null,
  },
  maxInFlightBytes: {
    flag: 'max-in-flight-bytes',
    type: 'bytes',
    default: 1024 * MIB,
    zero: 'no limit',
    description: 'bytes of their inputs, and of large answers until they have been sent',
    triton: null,
  },
  maxReceivingBytes: {
    flag: 'max-receiving-bytes',
    type: 'bytes',
    default: 1024 * MIB,
    zero: 'no limit',
    description:
      'bodies being received or decompressed, over HTTP and (native front end) ModelInfer over gRPC, shared out among the threads of the front end (each: one largest request at least)',
    triton: null,
  },
  maxQueueSize: {
    flag: 'max-queue-size',
    type: 'count',
    default: 2048,
    zero: 'no limit',
    description: 'requests waiting in the queue of one model version, where its configuration does not bound every priority level',
    triton: null,
  },
  maxQueueBytes: {
    flag: 'max-queue-bytes',
    type: 'bytes',
    default: 512 * MIB,
    zero: 'no limit',
    description: 'input bytes of those requests',
    triton: null,
  },
  grpcMaxConcurrentStreams: {
    flag: 'grpc-max-concurrent-streams',
    type: 'count',
    default: 128,
    min: 1,
    max: 65_535,
    description: 'calls at one time on one gRPC connection',
    triton: null,
  },
  httpHeadersTimeoutMs: {
    flag: 'http-headers-timeout-ms',
    type: 'milliseconds',
    default: 10_000,
    zero: 'no limit',
    description: 'time a client may take to send the headers of a request',
    triton: null,
  },
  httpRequestTimeoutMs: {
    flag: 'http-request-timeout-ms',
    type: 'milliseconds',
    default: 60_000,
    zero: 'no limit',
    description: 'time a client may take to send a whole request',
    triton: null,
  },
  httpKeepAliveTimeoutMs: {
    flag: 'http-keep-alive-timeout-ms',
    type: 'milliseconds',
    default: 75_000,
    zero: 'no limit',
    description: 'time a connection may idle; longer than the idle time of a balancer in front, or clients see resets',
    triton: null,
  },
  tlsCert: {
    flag: 'tls-cert',
    type: 'path',
    default: '',
    zero: 'both ports are plain',
    description:
      'certificate of the HTTP and the gRPC port, PEM, with those that lead to its authority; looked at every 10 s, as the two below are',
    triton: null,
  },
  tlsKey: { flag: 'tls-key', type: 'path', default: '', zero: 'none', description: 'private key of that certificate, PEM', triton: null },
  tlsClientCa: {
    flag: 'tls-client-ca',
    type: 'path',
    default: '',
    zero: 'clients need no certificate',
    description: 'authorities, PEM: clients must show a certificate that one of them has signed',
    triton: null,
  },
  exitTimeoutSecs: {
    flag: 'exit-timeout-secs',
    type: 'seconds',
    default: 30,
    zero: 'requests in flight are cancelled at once',
    description: 'time that requests in flight get to finish, once the drain delay is over',
    triton: 'exit-timeout-secs',
  },
  drainDelaySecs: {
    flag: 'drain-delay-secs',
    type: 'seconds',
    default: 10,
    zero: 'listeners close at once',
    description: 'time after SIGTERM in which the server is not ready but still serves, so that balancers notice first',
    triton: null,
  },
  strictReadiness: {
    flag: 'strict-readiness',
    type: 'boolean',
    default: false,
    description: 'ready only while every model has a ready version; otherwise one model is enough (Triton: true by default)',
    triton: 'strict-readiness',
  },
  exitOnError: {
    flag: 'exit-on-error',
    type: 'boolean',
    default: false,
    description: 'end with exit code 73 when a model cannot be loaded at start; not for one that is held back (Triton: true by default)',
    triton: 'exit-on-error',
  },
  accessLog: { flag: 'access-log', type: 'boolean', default: false, description: 'one log line for each request', triton: null },
  logLevel: {
    flag: 'log-level',
    type: 'choice',
    choices: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    default: 'info',
    description: 'least important lines that are logged',
    triton: null,
  },
  logFormat: { flag: 'log-format', type: 'choice', choices: ['json'], default: 'json', description: 'form of the log lines', triton: null },
  readyFile: {
    flag: 'ready-file',
    type: 'path',
    default: '',
    zero: 'no file',
    description: 'file that is written once the server is ready: {"http":n,"grpc":n,"management":n}',
    triton: null,
  },
  cpuThreads: {
    flag: 'cpu-threads',
    type: 'count',
    default: 0,
    max: 1024,
    zero: 'as many as the cgroup lets this process use',
    description: 'threads that ONNX Runtime computes with on the CPU',
    triton: null,
  },
  laneSpinUs: {
    flag: 'lane-spin-us',
    type: 'count',
    default: 50,
    max: 10_000,
    zero: 'it sleeps at once',
    description: 'microseconds that a thread which runs models looks for more work before it sleeps, while a CPU is spare',
    triton: null,
  },
  ortLibrary: {
    flag: 'ort-library',
    type: 'path',
    default: '',
    zero: 'the one that comes with the package onnxruntime-node',
    description: 'path of libonnxruntime.so.1',
    triton: null,
  },
  gpu: {
    flag: 'gpu',
    type: 'choice',
    choices: ['auto', 'off'],
    default: 'auto',
    description: 'auto: GPUs are used where the driver offers any; off: no driver is opened, every model runs on the CPU',
    triton: null,
  },
  gpuWaitSecs: {
    flag: 'gpu-wait-secs',
    type: 'seconds',
    default: 300,
    zero: 'they run without at once',
    description: 'time at start that models which may run on GPUs wait for a fabric between them that is not up yet (CUDA error 802)',
    triton: null,
  },
  minSupportedComputeCapability: {
    flag: 'min-supported-compute-capability',
    type: 'decimal',
    default: 7.5,
    max: 100,
    description: 'older GPUs are left out; 7.5 (Turing) is the oldest that CUDA 13 knows (Triton: 6.0)',
    triton: 'min-supported-compute-capability',
  },
  pinnedMemoryPoolByteSize: {
    flag: 'pinned-memory-pool-byte-size',
    type: 'bytes',
    default: 256 * MIB,
    zero: 'none, copies to and from GPUs are slower',
    description: 'page-locked memory for inputs and outputs of models on GPUs; what does not fit takes ordinary memory',
    triton: 'pinned-memory-pool-byte-size',
  },
  allowGpuMetrics: {
    flag: 'allow-gpu-metrics',
    type: 'boolean',
    default: true,
    description: 'metrics of each GPU on the management port',
    triton: 'allow-gpu-metrics',
  },
  metricsIntervalMs: {
    flag: 'metrics-interval-ms',
    type: 'milliseconds',
    default: 2000,
    min: 10,
    description: 'time between two readings of what the driver says of each GPU',
    triton: 'metrics-interval-ms',
  },
  gpuProbeIntervalSecs: {
    flag: 'gpu-probe-interval-secs',
    type: 'seconds',
    default: 600,
    zero: 'none',
    description: 'time between two probes of the memory of each GPU, and of each model on it with inputs of known answer',
    triton: null,
  },
  gpuProbeBytes: {
    flag: 'gpu-probe-bytes',
    type: 'bytes',
    default: 64 * MIB,
    min: 4096,
    max: 16 * 1024 * MIB,
    description: 'memory of each GPU that its probe keeps, writes and reads back',
    triton: null,
  },
  gpuWatchdogMs: {
    flag: 'gpu-watchdog-ms',
    type: 'milliseconds',
    default: 5000,
    zero: 'no watchdog',
    description:
      'a batch on a GPU that takes longer (and ten times what 99.9 % of the batches of its model take) counts as hung: not ready; three times that: the process aborts (134)',
    triton: null,
  },
  modelBlameFile: {
    flag: 'model-blame-file',
    type: 'path',
    default: '',
    zero: 'no file, a model that ends the server does so after each restart',
    description:
      'file of this server alone that remembers which model ended it through a GPU (134, 71): one that did so twice within a day is left out for 10 minutes, and twice as long each time after that',
    triton: null,
  },
  healthIntervalMs: {
    flag: 'health-interval-ms',
    type: 'milliseconds',
    default: 200,
    min: 10,
    max: 1000,
    description: 'time between two health snapshots; one older than 2 s means not live',
    triton: null,
  },
} as const satisfies Record<string, OptionRow>;

export type OptionName = keyof typeof OPTIONS;

type ValueOf<Type extends OptionType> = Type extends 'boolean'
  ? boolean
  : Type extends 'paths'
    ? readonly string[]
    : Type extends 'text' | 'path' | 'choice'
      ? string
      : number;

/** One value for each option, checked. Empty text = not set. Units are those of the option's name. */
export type Options = { readonly [Name in OptionName]: ValueOf<(typeof OPTIONS)[Name]['type']> };

/** The rows with their wide type, in the order of the table. */
export const OPTION_ROWS: readonly (readonly [OptionName, OptionRow])[] = Object.entries(OPTIONS) as [OptionName, OptionRow][];

export function variableOf(row: OptionRow): string {
  return `PENSTOCK_${row.flag.toUpperCase().replaceAll('-', '_')}`;
}
