/** KServe runs our image: its runtimes as KServe's controller reads them, and a real server started as it would start one. */
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { loadOptions } from '../../src/config/load.js';
import { GrpcClient, HttpClient } from '../support/clients.js';
import { DIGITS_1, modelFolder } from '../support/model-folder.js';
import { ServerProcess } from '../support/server-process.js';
import { deployment, installation } from './deployment.js';
import { build, find, type Manifest } from './kustomize.js';

interface Container {
  readonly name: string;
  readonly args: readonly string[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly resources: { readonly limits: Readonly<Record<string, string>>; readonly requests: Readonly<Record<string, string>> };
  readonly securityContext: unknown;
  readonly startupProbe: HttpProbe;
  readonly readinessProbe: HttpProbe;
  readonly livenessProbe: HttpProbe;
}

interface HttpProbe {
  readonly periodSeconds: number;
  readonly failureThreshold: number;
  readonly httpGet: { readonly path: string; readonly port: number };
}

interface Runtime {
  readonly annotations: Readonly<Record<string, string>>;
  readonly supportedModelFormats: readonly { readonly name: string; readonly autoSelect: boolean; readonly priority?: number }[];
  readonly protocolVersions: readonly string[];
  readonly containers: readonly [Container];
}

const MODEL = 'digits';

/** As KServe does, whose templates are Go's: the object's metadata is what a template sees. */
const argsFor = (runtime: Runtime, name: string): string[] => runtime.containers[0].args.map((arg) => arg.replaceAll('{{.Name}}', name));

let runtimes: Manifest[];
const runtime = (name: string): Runtime => find(runtimes, 'ClusterServingRuntime', name)['spec'] as Runtime;
beforeAll(async () => {
  runtimes = await build('kserve');
});

describe.each(['penstock', 'penstock-gpu'])('the runtime %s', (name) => {
  it('has the container, the ports and the protocols that KServe goes by', () => {
    const { containers, protocolVersions, supportedModelFormats } = runtime(name);
    expect(containers.map((container) => container.name)).toEqual(['kserve-container']);
    expect(protocolVersions).toEqual(['v2', 'grpc-v2']);
    expect(supportedModelFormats.map((format) => format.name)).toEqual(['onnx']);
    // The first becomes port 80 of the Service and must be HTTP; names that hold grpc or h2c are HTTP/2.
    expect(containers[0].ports.map((port) => [/grpc|h2c/.test(port.name), port.containerPort])).toEqual([
      [false, 8000],
      [true, 8001],
    ]);
  });

  it('has arguments, ports and probes that the server knows', () => {
    const { containers, annotations } = runtime(name);
    const [command, ...flags] = argsFor(runtime(name), MODEL);
    expect(command).toBe('serve');
    const { options } = loadOptions(flags, {});
    expect(options).toMatchObject({ modelRepository: ['/mnt/models'], modelName: MODEL });
    const [http, grpc] = containers[0].ports.map(({ containerPort }) => containerPort);
    expect([options.httpPort, options.grpcPort]).toEqual([http, grpc]);
    const { startupProbe, readinessProbe, livenessProbe } = containers[0];
    for (const { httpGet } of [startupProbe, readinessProbe, livenessProbe]) expect(httpGet.port).toBe(options.metricsPort);
    for (const prefix of ['prometheus.io', 'prometheus.kserve.io'])
      expect([annotations[`${prefix}/port`], annotations[`${prefix}/path`]]).toEqual([String(options.metricsPort), '/metrics']);
    // KServe sets no other grace period than 30 s.
    expect(options.drainDelaySecs + options.exitTimeoutSecs).toBeLessThan(30);
  });

  it('passes Pod Security restricted by its container alone', () => {
    expect(runtime(name).containers[0].securityContext).toMatchObject({
      runAsNonRoot: true,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    });
  });
});

it('only the runtime without GPUs is chosen by itself, before those that come with KServe', () => {
  // Priorities of ONNX in config/runtimes of KServe 0.20: Triton 1, OpenVINO 2. An equal one is refused.
  expect(runtime('penstock').supportedModelFormats).toMatchObject([{ autoSelect: true, priority: 3 }]);
  expect(runtime('penstock-gpu').supportedModelFormats).toMatchObject([{ autoSelect: false }]);
  const { limits, requests } = runtime('penstock-gpu').containers[0].resources;
  expect([limits['nvidia.com/gpu'], requests['nvidia.com/gpu']]).toEqual(['1', '1']);
});

it.each([
  ['penstock', []],
  ['penstock-gpu', ['gpu']],
])('the runtime %s gives a start as much time as an installation without KServe', async (name, components) => {
  const { container } = deployment(await installation(...components));
  const { periodSeconds, failureThreshold } = runtime(name).containers[0].startupProbe;
  expect(periodSeconds * failureThreshold).toBe(container.startupProbe.periodSeconds * container.startupProbe.failureThreshold);
});

it('examples ask for runtimes, formats and protocols that are there', async () => {
  for (const { metadata, spec } of await build('kserve/examples')) {
    expect(metadata.annotations?.['serving.kserve.io/deploymentMode']).toBe('Standard');
    const { model } = (spec as { predictor: { model: { modelFormat: { name: string }; protocolVersion: string; runtime?: string } } })
      .predictor;
    const asked = runtime(model.runtime ?? 'penstock');
    expect(asked.protocolVersions).toContain(model.protocolVersion);
    expect(asked.supportedModelFormats.map(({ name }) => name)).toContain(model.modelFormat.name);
  }
});

describe('a server started as KServe starts it', () => {
  const inputs = [{ name: 'image', datatype: 'FP32', shape: [1, 1, 8, 8] }];

  it('is ready, and answers the model by its name over HTTP and gRPC', async () => {
    const folder = modelFolder({ 'model.onnx': DIGITS_1 });
    const { args, startupProbe, readinessProbe, livenessProbe } = runtime('penstock').containers[0];
    expect(args).toContain('--model-name={{.Name}}');
    const flags = argsFor(runtime('penstock'), MODEL).slice(1);
    const server = await ServerProcess.start({
      repositories: [],
      flags: flags.map((flag) => flag.replace('/mnt/models', folder)),
    });
    onTestFinished(async () => void (await server.stop()));
    const [http, grpc] = [new HttpClient(server.httpUrl), new GrpcClient(server.grpcAddress)];
    onTestFinished(async () => {
      grpc.raw.close();
      await http.close();
    });

    for (const { httpGet } of [startupProbe, readinessProbe, livenessProbe])
      expect((await fetch(server.managementUrl + httpGet.path)).status, httpGet.path).toBe(200);
    expect((await http.get(`/v2/models/${MODEL}/ready`)).status).toBe(200);
    expect((await http.get('/v2/health/ready')).status).toBe(200);

    const pixels = Array<number>(64).fill(0);
    const reply = await http.inferJson(MODEL, { inputs: inputs.map((input) => ({ ...input, data: pixels })) });
    expect(reply).toMatchObject({ model_name: MODEL, model_version: '1' });
    expect(await grpc.call('ModelReady', { name: MODEL })).toEqual({ ready: true });
    const tensors = inputs.map((input) => ({ ...input, contents: { fp32_contents: pixels } }));
    expect(await grpc.call('ModelInfer', { model_name: MODEL, inputs: tensors })).toMatchObject({ model_name: MODEL, model_version: '1' });
  });
});
