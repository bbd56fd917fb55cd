/** Ports are named in one place and used in others: a name or number that nobody declares is accepted by the API server and never works. */
import type { Manifest } from '../kustomize.js';
import { containersOf, matches, ofKind, podTemplates, specOf, titleOf, type Container, type Labels, type Selector } from '../workloads.js';

type Port = string | number;

const declares = (containers: readonly Container[], port: Port): boolean =>
  containers.some(({ ports = [] }) => ports.some(({ name, containerPort }) => port === name || port === containerPort));

/** Container ports of the pods that a selector takes. */
const containersBehind = (manifests: readonly Manifest[], selector: Selector | undefined): Container[] =>
  podTemplates(manifests)
    .filter(({ metadata }) => matches(selector, metadata.labels))
    .flatMap(containersOf);

export function probesUseDeclaredPorts(manifests: readonly Manifest[]): string[] {
  return podTemplates(manifests).flatMap((template) =>
    containersOf(template).flatMap((container) => {
      const { startupProbe, readinessProbe, livenessProbe, lifecycle } = container;
      const handlers = [startupProbe, readinessProbe, livenessProbe, lifecycle?.preStop, lifecycle?.postStart];
      const ports = handlers.flatMap((handler) => handler?.httpGet?.port ?? handler?.tcpSocket?.port ?? handler?.grpc?.port ?? []);
      return ports
        .filter((port) => !declares([container], port))
        .map((port) => `${template.name}: a probe of ${container.name} asks port ${port}, which it does not declare`);
    }),
  );
}

interface ServiceSpec {
  readonly selector?: Labels;
  readonly ports?: readonly { readonly name?: string; readonly port: number; readonly targetPort?: Port }[];
}

export function servicesLeadToDeclaredPorts(manifests: readonly Manifest[]): string[] {
  return ofKind(manifests, 'Service').flatMap((service) => {
    const { selector, ports = [] } = specOf<ServiceSpec>(service);
    if (selector === undefined) return [];
    const containers = containersBehind(manifests, { matchLabels: selector });
    return ports
      .map(({ port, targetPort }) => targetPort ?? port)
      .filter((target) => containers.length > 0 && !declares(containers, target))
      .map((target) => `${titleOf(service)}: no container behind it declares port ${target}`);
  });
}

interface PolicySpec {
  readonly podSelector?: Selector;
  readonly ingress?: readonly { readonly ports?: readonly { readonly port?: Port }[] }[];
}

export function networkPoliciesNameDeclaredPorts(manifests: readonly Manifest[]): string[] {
  return ofKind(manifests, 'NetworkPolicy').flatMap((policy) => {
    const { podSelector, ingress = [] } = specOf<PolicySpec>(policy);
    const containers = containersBehind(manifests, podSelector);
    return ingress
      .flatMap(({ ports = [] }) => ports.flatMap(({ port }) => port ?? []))
      .filter((port) => typeof port === 'string' && containers.length > 0 && !declares(containers, port))
      .map((port) => `${titleOf(policy)}: no container that it is for declares port ${port}`);
  });
}

interface MonitorSpec {
  readonly selector: Selector;
  readonly endpoints?: readonly { readonly port?: string }[];
  readonly podMetricsEndpoints?: readonly { readonly port?: string }[];
}

export function monitorsScrapeDeclaredPorts(manifests: readonly Manifest[]): string[] {
  return ofKind(manifests, 'ServiceMonitor', 'PodMonitor').flatMap((monitor) => {
    const { selector, endpoints = [], podMetricsEndpoints = [] } = specOf<MonitorSpec>(monitor);
    const services = ofKind(manifests, 'Service').filter(({ metadata }) => matches(selector, metadata.labels));
    const servicePorts = services.flatMap((service) => specOf<ServiceSpec>(service).ports?.map(({ name }) => name) ?? []);
    const unknown = [
      ...endpoints.filter(({ port }) => !servicePorts.includes(port)),
      ...podMetricsEndpoints.filter(({ port }) => port !== undefined && !declares(containersBehind(manifests, selector), port)),
    ];
    return unknown.map(({ port }) => `${titleOf(monitor)}: nothing that it selects has a port called ${port ?? '(none)'}`);
  });
}

interface Backend {
  readonly kind?: string;
  readonly name?: string;
  readonly host?: string;
  readonly port?: number | { readonly number?: number };
}

/** Destinations of VirtualServices and routes, wherever they stand in the object: `destination` (Istio), `backendRefs` (Gateway API), mirrors. */
function backends(value: unknown): Backend[] {
  if (typeof value !== 'object' || value === null) return [];
  const fields = value as Readonly<Record<string, unknown>>;
  const here = [
    fields['destination'],
    fields['mirror'],
    ...(Array.isArray(fields['backendRefs']) ? (fields['backendRefs'] as unknown[]) : []),
  ];
  const found = here.filter((one): one is Backend => typeof one === 'object' && one !== null && ('host' in one || 'name' in one));
  return [...found, ...Object.values(fields).flatMap(backends)];
}

export function routesLeadToServices(manifests: readonly Manifest[]): string[] {
  const services = new Map(
    ofKind(manifests, 'Service').map((service) => [service.metadata.name, specOf<ServiceSpec>(service).ports ?? []]),
  );
  return ofKind(manifests, 'VirtualService', 'HTTPRoute', 'GRPCRoute', 'DestinationRule').flatMap((route) => {
    const own = route.kind === 'DestinationRule' ? [{ host: specOf<{ host: string }>(route).host }] : backends(specOf(route));
    return own.flatMap(({ kind = 'Service', host, name, port }: Backend) => {
      // Istio takes "name", "name.namespace" and the full name in DNS.
      const service = name ?? host?.split('.')[0] ?? '';
      const ports = services.get(service);
      if (kind !== 'Service') return [];
      if (ports === undefined) return [`${titleOf(route)}: there is no Service ${service}`];
      const number = typeof port === 'object' ? port.number : port;
      const isThere = number === undefined || ports.some((one) => one.port === number);
      return isThere ? [] : [`${titleOf(route)}: Service ${service} has no port ${number}`];
    });
  });
}

interface MeshSpec {
  readonly selector?: Selector;
  readonly portLevelMtls?: Readonly<Record<string, unknown>>;
  readonly rules?: readonly { readonly to?: readonly { readonly operation?: { readonly ports?: readonly string[] } }[] }[];
}

export function meshPoliciesNameDeclaredPorts(manifests: readonly Manifest[]): string[] {
  return ofKind(manifests, 'PeerAuthentication', 'AuthorizationPolicy').flatMap((policy) => {
    const { selector, portLevelMtls = {}, rules = [] } = specOf<MeshSpec>(policy);
    const containers = containersBehind(manifests, selector);
    const ports = [...Object.keys(portLevelMtls), ...rules.flatMap(({ to = [] }) => to.flatMap(({ operation }) => operation?.ports ?? []))];
    return ports
      .filter((port) => !declares(containers, Number(port)))
      .map((port) => `${titleOf(policy)}: no container that it is for declares port ${port}`);
  });
}
