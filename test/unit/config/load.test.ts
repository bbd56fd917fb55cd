import { describe, expect, it } from 'vitest';
import { OptionsError, loadOptions } from '../../../src/config/load.js';
import { optionsHelp } from '../../../src/config/option-table.js';
import { OPTION_ROWS, variableOf } from '../../../src/config/options.js';
import { visibleDevices } from '../../../src/config/visible-devices.js';

const MIB = 1024 * 1024;

function load(args: readonly string[], environment: Record<string, string> = {}, files: Record<string, string> = {}) {
  return loadOptions(args, environment, (path) => {
    const text = files[path];
    if (text === undefined) throw new Error('no such file');
    return text;
  });
}

function faultsOf(
  args: readonly string[],
  environment: Record<string, string> = {},
  files: Record<string, string> = {},
): readonly string[] {
  try {
    load(args, environment, files);
  } catch (error) {
    if (error instanceof OptionsError) return error.faults;
    throw error;
  }
  return [];
}

describe('where an option comes from', () => {
  const files = { 'penstock.yaml': 'http-port: 3\ngrpc-port: 3333\nmax-request-bytes: 1MiB\n' };

  it('takes the flag before the variable, the variable before the file, the file before the default', () => {
    const { options } = load(
      ['--config', 'penstock.yaml', '--http-port=1'],
      { PENSTOCK_HTTP_PORT: '2', PENSTOCK_MAX_REQUEST_BYTES: '2MiB' },
      files,
    );
    expect(options).toMatchObject({ httpPort: 1, maxRequestBytes: 2 * MIB, grpcPort: 3333, metricsPort: 8002 });
  });

  it('finds the file through its variable as well', () => {
    expect(load([], { PENSTOCK_CONFIG: 'penstock.yaml' }, files).options.grpcPort).toBe(3333);
  });

  it('reads both forms of a flag', () => {
    expect(load(['--http-port', '7', '--grpc-port=8']).options).toMatchObject({ httpPort: 7, grpcPort: 8 });
  });

  it('collects a repeated --model-repository, a separated variable and a list in the file', () => {
    expect(load(['--model-repository', 'a', '--model-repository=b']).options.modelRepository).toEqual(['a', 'b']);
    expect(load([], { PENSTOCK_MODEL_REPOSITORY: 'a:b' }).options.modelRepository).toEqual(['a', 'b']);
    expect(load(['--config=f'], {}, { f: 'model-repository: [a, b]' }).options.modelRepository).toEqual(['a', 'b']);
    expect(load([]).options.modelRepository).toEqual(['models']);
  });

  it('takes the last of a flag that is given twice', () => {
    expect(load(['--http-port=1', '--http-port=2']).options.httpPort).toBe(2);
  });

  it('accepts an empty configuration file', () => {
    expect(load(['--config=f'], {}, { f: '# nothing yet\n' }).options.httpPort).toBe(8000);
  });

  it("accepts Triton's name of an option that has another one here", () => {
    expect(load(['--http-max-input-size=1048576']).options.maxRequestBytes).toBe(MIB);
  });
});

describe('values', () => {
  it.each([
    ['64MiB', 64 * MIB],
    ['512KiB', 512 * 1024],
    ['1GiB', 1024 * MIB],
    ['1.5 MiB', 1.5 * MIB],
    ['8Mi', 8 * MIB],
    ['2147483647', 2 ** 31 - 1],
  ])('reads %s as bytes', (text, bytes) => {
    expect(load([`--max-request-bytes=${text}`]).options.maxRequestBytes).toBe(bytes);
  });

  it.each(['2GiB', '0', '-1', '64MB', '1e6', '', '0.3KiB', '99999999999999999999'])('refuses "%s" as the largest request', (text) => {
    expect(faultsOf([`--max-request-bytes=${text}`])).toEqual([
      `--max-request-bytes: "${text}" is not bytes from 1 to 2147483647, such as 1048576, 512KiB, 64MiB or 1GiB`,
    ]);
  });

  it('reads switches alone, with a value and before another flag', () => {
    expect(load(['--strict-readiness', '--access-log']).options).toMatchObject({ strictReadiness: true, accessLog: true });
    expect(load(['--allow-http', 'false', '--access-log=0']).options).toMatchObject({ allowHttp: false, accessLog: false });
    expect(load([], { PENSTOCK_STRICT_READINESS: 'TRUE' }).options.strictReadiness).toBe(true);
  });

  it('reads fractions of seconds but not of counts', () => {
    expect(load(['--drain-delay-secs=0.25']).options.drainDelaySecs).toBe(0.25);
    expect(faultsOf(['--max-queue-size=1.5'])).toHaveLength(1);
  });
});

it('reads a number with a fraction where one makes sense', () => {
  expect(load(['--min-supported-compute-capability=8']).options.minSupportedComputeCapability).toBe(8);
  expect(load(['--min-supported-compute-capability', '8.9']).options.minSupportedComputeCapability).toBe(8.9);
  expect(faultsOf(['--min-supported-compute-capability=8.x'])[0]).toContain('"8.x" is not a number from 0 to 100');
});

it("has Triton's flags for GPUs, and our own", () => {
  const flags = ['--pinned-memory-pool-byte-size=268435456', '--allow-gpu-metrics=false', '--metrics-interval-ms=500', '--gpu=off'];
  expect(load(flags).options).toMatchObject({
    pinnedMemoryPoolByteSize: 256 * MIB,
    allowGpuMetrics: false,
    metricsIntervalMs: 500,
    gpu: 'off',
  });
  expect(load([]).options).toMatchObject({ gpu: 'auto', gpuProbeIntervalSecs: 600, gpuProbeBytes: 64 * MIB, gpuWatchdogMs: 5000 });
});

it('knows the GPUs that the container runtime was asked to show', () => {
  expect(visibleDevices({ NVIDIA_VISIBLE_DEVICES: 'GPU-1' })).toBe('GPU-1');
  expect(visibleDevices({})).toBe('');
});

describe('faults', () => {
  it('names an alias of the file that stands for nothing', () => {
    expect(faultsOf(['--config=f'], {}, { f: 'http-port: *port\n' })).toEqual([expect.stringMatching(/^f: Unresolved alias .*: port$/)]);
  });

  it('names every fault of every source at once', () => {
    expect(
      faultsOf(
        ['--http-port=99999', '--max-conections=3', '--config', 'f', 'check', '--grpc-port'],
        { PENSTOCK_DRAIN_DELAY_SECS: 'soon' },
        { f: 'log-levle: debug\nmetrics-port: [1, 2]\nhost: {}\naccess-log: maybe\n' },
      ),
    ).toEqual([
      '--max-conections is not an option; did you mean --max-connections?',
      '"check" is not a flag; the command comes before the flags',
      '--grpc-port needs a value',
      'f: log-levle is not an option; did you mean log-level?',
      'f: metrics-port: expected one value',
      'f: host: expected one value',
      '--http-port: "99999" is not a port from 0 (any free one) to 65535',
      'PENSTOCK_DRAIN_DELAY_SECS: "soon" is not seconds from 0 to 86400, fractions allowed',
      'f: access-log: "maybe" is not true or false',
    ]);
  });

  it('does not suggest what is not close', () => {
    expect(faultsOf(['--model-control-mode', 'poll'])).toEqual(['--model-control-mode is not an option; --help lists them']);
  });

  it('says what is wrong with the file itself', () => {
    expect(faultsOf(['--config=missing'])).toEqual(['--config: "missing" cannot be read: no such file']);
    expect(faultsOf(['--config=f'], {}, { f: '- 1\n' })).toEqual(['f: expected option names with values, such as "http-port: 8000"']);
    expect(faultsOf(['--config=f'], {}, { f: 'config: other' })).toEqual(['f: config: a configuration file cannot name another one']);
    expect(faultsOf(['--config=f'], {}, { f: 'a: [1' })[0]).toMatch(/^f: .*at line 1/s);
  });

  it('refuses a certificate without its key, a key without its certificate, and authorities without both', () => {
    const pair = '--tls-cert and --tls-key: one needs the other';
    expect(faultsOf(['--tls-cert=c'])).toEqual([pair]);
    expect(faultsOf(['--tls-key=k', '--tls-client-ca=a'])).toEqual([pair]);
    expect(faultsOf(['--tls-client-ca=a'])).toEqual(['--tls-client-ca: needs --tls-cert and --tls-key']);
  });

  it('checks options against each other', () => {
    expect(faultsOf(['--http-port=9', '--grpc-port=9'])).toEqual(['--grpc-port: port 9 is already given to --http-port']);
    expect(faultsOf(['--http-port=0', '--grpc-port=0', '--metrics-port=0'])).toEqual([]);
    expect(faultsOf(['--grpc-port=8000', '--allow-grpc=false'])).toEqual([]);
    expect(faultsOf(['--allow-http=false', '--allow-grpc=false'])).toHaveLength(1);
    expect(faultsOf(['--model-name=m', '--model-repository=a', '--model-repository=b'])).toEqual([
      '--model-name: needs exactly one --model-repository, found 2',
    ]);
    expect(faultsOf(['--max-in-flight-bytes=1MiB'])).toHaveLength(1);
  });

  it('raises limits that were left at their defaults to the largest request', () => {
    const { options } = load(['--max-request-bytes=2000MiB', '--max-queue-bytes=0']);
    expect(options).toMatchObject({ maxInFlightBytes: 2000 * MIB, maxReceivingBytes: 2000 * MIB, maxQueueBytes: 0 });
  });
});

describe('variables that are not ours', () => {
  it('ignores the addresses that Kubernetes sets for a Service with our name', () => {
    const links = {
      PENSTOCK_HTTP_PORT: 'tcp://10.0.0.1:8000',
      PENSTOCK_HTTP_SERVICE_HOST: '10.0.0.1',
      PENSTOCK_SERVICE_PORT_GRPC: '8001',
      PENSTOCK_PORT_8000_TCP_ADDR: '10.0.0.1',
    };
    expect(load([], links)).toMatchObject({ options: { httpPort: 8000 }, warnings: [] });
  });

  it('warns of a variable that is probably misspelt', () => {
    expect(load([], { PENSTOCK_ACESS_LOG: 'true' }).warnings).toEqual([
      'the variable PENSTOCK_ACESS_LOG is not an option; did you mean PENSTOCK_ACCESS_LOG?',
    ]);
  });
});

it('describes every option in the help', () => {
  for (const [, row] of OPTION_ROWS) {
    expect(optionsHelp()).toContain(`--${row.flag} `);
    expect(optionsHelp()).toContain(variableOf(row));
  }
});
