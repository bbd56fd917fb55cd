/** What a mesh, a gateway and a rollout are told of our Services and pods. */
import { beforeAll, describe, expect, it } from 'vitest';
import { deployment, installation, serverOptions } from './deployment.js';
import { compose, find, type Manifest } from './kustomize.js';
import { danglingServices, portsOf, type PodTemplate } from './references.js';

interface Route {
  readonly name: string;
  readonly match: readonly { readonly port: number }[];
  readonly timeout?: string;
  readonly retries: { readonly attempts: number; readonly retryOn: string };
  readonly route: readonly {
    readonly weight?: number;
    readonly destination: { readonly host: string; readonly port: { readonly number: number }; readonly subset?: string };
  }[];
}

const routesOf = (manifests: readonly Manifest[]): readonly Route[] =>
  (find(manifests, 'VirtualService')['spec'] as { http: readonly Route[] }).http;

describe('istio', () => {
  let manifests: Manifest[];
  beforeAll(async () => {
    manifests = await compose({ components: ['istio'] });
  });

  it('routes each serving port of the Service to itself, and no other', () => {
    const served = Object.values(portsOf(find(manifests, 'Service', 'penstock'))).sort();
    expect(routesOf(manifests).flatMap(({ match }) => match.map(({ port }) => port))).toEqual(served);
    for (const { match, route } of routesOf(manifests))
      expect(route.map(({ destination }) => destination.port.number)).toEqual(match.map(({ port }) => port));
    expect(danglingServices(manifests)).toEqual([]);
  });

  it('retries only what no server has seen, never an answer such as "overloaded"', () => {
    // https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/router_filter#x-envoy-retry-on
    const neverReached = ['connect-failure', 'refused-stream', 'reset-before-request'];
    for (const { name, retries } of routesOf(manifests)) {
      expect(
        retries.retryOn.split(',').filter((condition) => !neverReached.includes(condition)),
        name,
      ).toEqual([]);
      expect(retries.attempts, name).toBeLessThanOrEqual(2);
    }
  });

  it('leaves a pod that answers "overloaded" among the others', () => {
    const { trafficPolicy } = find(manifests, 'DestinationRule')['spec'] as {
      trafficPolicy: { loadBalancer: unknown; outlierDetection: Record<string, unknown>; tls: unknown };
    };
    expect(trafficPolicy.outlierDetection).toMatchObject({
      consecutive5xxErrors: 0,
      consecutiveGatewayErrors: 0,
      splitExternalLocalOriginErrors: true,
    });
    expect(trafficPolicy.loadBalancer).toEqual({ simple: 'LEAST_REQUEST' });
    expect(trafficPolicy.tls).toEqual({ mode: 'ISTIO_MUTUAL' });
  });

  it('takes plain text on the management port only, and there no more than GET /metrics', () => {
    const { management, http, grpc } = portsOf(find(manifests, 'Service', 'penstock-headless'));
    const mtls = find(manifests, 'PeerAuthentication')['spec'];
    expect(mtls).toMatchObject({ mtls: { mode: 'STRICT' }, portLevelMtls: { [String(management)]: { mode: 'PERMISSIVE' } } });
    const { rules } = find(manifests, 'AuthorizationPolicy')['spec'] as {
      rules: readonly { from?: unknown; to: readonly { operation: { ports: string[]; methods?: string[]; paths?: string[] } }[] }[];
    };
    const anonymous = rules.filter(({ from }) => from === undefined).flatMap(({ to }) => to.map(({ operation }) => operation));
    expect(anonymous).toEqual([{ ports: [String(management)], methods: ['GET'], paths: ['/metrics'] }]);
    const known = rules.filter(({ from }) => from !== undefined).flatMap(({ to }) => to.flatMap(({ operation }) => operation.ports));
    expect(known).toEqual([String(http), String(grpc)]);
  });

  it('has policies that select the pods, and a sidecar that outlives the server in them', () => {
    const { metadata, spec } = (find(manifests, 'Deployment')['spec'] as { template: PodTemplate }).template;
    for (const kind of ['PeerAuthentication', 'AuthorizationPolicy']) {
      const { selector } = find(manifests, kind)['spec'] as { selector: { matchLabels: Record<string, string> } };
      expect(metadata.labels, kind).toMatchObject(selector.matchLabels);
    }
    expect(metadata.labels).toMatchObject({ 'sidecar.istio.io/inject': 'true' });
    expect(metadata.annotations).toMatchObject({
      'sidecar.istio.io/nativeSidecar': 'true',
      'sidecar.istio.io/rewriteAppHTTPProbers': 'true',
    });
    // The injector finds a probe's port by its name.
    expect(spec.containers[0]?.ports?.map(({ name }) => name)).toContain('management');
  });

  it('lets the sidecar reach istiod, which the base denies', () => {
    const { egress } = find(manifests, 'NetworkPolicy', 'penstock-istio')['spec'] as { egress: unknown };
    expect(egress).toMatchObject([{ ports: [{ port: 15012, protocol: 'TCP' }] }]);
  });
});

describe('gateway', () => {
  it('has both routes on the same Gateway, under names of their own, to ports that the Service has', async () => {
    const manifests = await compose({ components: ['gateway'] });
    const [http, grpc] = ['HTTPRoute', 'GRPCRoute'].map(
      (kind) => find(manifests, kind)['spec'] as { parentRefs: unknown[]; hostnames: string[]; rules: { backendRefs: unknown }[] },
    );
    expect(http?.parentRefs).toHaveLength(1);
    expect(grpc?.parentRefs).toEqual(http?.parentRefs);
    // One listener does not take an HTTPRoute and a GRPCRoute for the same name.
    expect(http?.hostnames.filter((name) => grpc?.hostnames.includes(name))).toEqual([]);
    expect(http?.rules.map(({ backendRefs }) => backendRefs)).toEqual([[{ name: 'penstock', port: 8000 }]]);
    expect(grpc?.rules.map(({ backendRefs }) => backendRefs)).toEqual([[{ name: 'penstock', port: 8001 }]]);
    expect(danglingServices(manifests)).toEqual([]);
  });

  it('stands beside istio', async () => {
    const manifests = await compose({ components: ['istio', 'gateway'] });
    expect(danglingServices(manifests)).toEqual([]);
  });
});

describe('rollout-canary-istio', () => {
  it('splits each route between the subsets that the Rollout moves weights of', async () => {
    const manifests = await compose({ components: ['rollout-canary-istio'] });
    const { subsets } = find(manifests, 'DestinationRule')['spec'] as { subsets: readonly { name: string }[] };
    const { strategy } = find(manifests, 'Rollout')['spec'] as { strategy: { canary: Record<string, unknown> } };
    expect(strategy.canary).toMatchObject({
      dynamicStableScale: true,
      trafficRouting: {
        istio: {
          virtualService: { name: 'penstock', routes: routesOf(manifests).map(({ name }) => name) },
          destinationRule: { name: 'penstock', stableSubsetName: subsets[0]?.name, canarySubsetName: subsets[1]?.name },
        },
      },
    });
    for (const { match, route } of routesOf(manifests)) {
      expect(route.map(({ weight }) => weight)).toEqual([100, 0]);
      expect(route.map(({ destination }) => destination.subset)).toEqual(['stable', 'canary']);
      for (const { destination } of route) expect(destination.port.number).toBe(match[0]?.port);
    }
    expect(danglingServices(manifests)).toEqual([]);
  });
});

describe('the component tls', () => {
  it('has the server use a certificate out of a folder that changes with its Secret, for the group that may read it', async () => {
    const manifests = await installation('tls');
    const { tlsCert, tlsKey, tlsClientCa } = serverOptions(manifests);
    const { container, pod } = deployment(manifests);
    const mount = container.volumeMounts.find(({ name }) => name === 'tls');
    expect([tlsCert, tlsKey, tlsClientCa]).toEqual([`${mount?.mountPath}/tls.crt`, `${mount?.mountPath}/tls.key`, '']);
    expect(mount).not.toHaveProperty('subPath');
    expect(pod.volumes.find(({ name }) => name === 'tls')).toMatchObject({ secret: { secretName: 'penstock-tls', defaultMode: 0o440 } });
  });

  const spoken = (manifests: readonly Manifest[], name: string): unknown =>
    (find(manifests, 'Service', name)['spec'] as { readonly ports: readonly Record<string, unknown>[] }).ports.map((port) => [
      port['name'],
      port['appProtocol'],
    ]);
  const serving = [
    ['http', 'https'],
    ['grpc', 'https'],
  ];

  it('says of both Services that clients speak TLS, but not to the management port', async () => {
    const manifests = await installation('tls');
    expect(spoken(manifests, 'penstock')).toEqual(serving);
    expect(spoken(manifests, 'penstock-headless')).toEqual([...serving, ['management', 'http']]);
  });

  it('says so of the Services for one version of a rollout, too, which speak plainly without it', async () => {
    const plain = [
      ['http', 'http'],
      ['grpc', 'grpc'],
    ];
    for (const [components, expected] of [
      [['tls', 'rollout-canary'], serving],
      [['rollout-canary'], plain],
    ] as const) {
      const manifests = await installation(...components);
      for (const name of ['penstock-stable', 'penstock-canary']) expect(spoken(manifests, name)).toEqual(expected);
    }
  });
});
