/** What manifests of several kinds name of one another. */
import type { Manifest } from './kustomize.js';

export interface PodTemplate {
  readonly metadata: { readonly labels: Readonly<Record<string, string>>; readonly annotations: Readonly<Record<string, string>> };
  readonly spec: { readonly containers: readonly { readonly ports?: readonly { readonly name: string }[] }[] };
}

/** Port numbers of a Service by their names. */
export function portsOf(service: Manifest): Record<string, number> {
  const { ports } = service['spec'] as { ports: readonly { name: string; port: number }[] };
  return Object.fromEntries(ports.map(({ name, port }) => [name, port]));
}

/** Fields of routes and rollouts that name a Service, and a port of it if they have one, which is not there. */
export function danglingServices(manifests: readonly Manifest[]): string[] {
  const services = new Map(manifests.filter(({ kind }) => kind === 'Service').map((service) => [service.metadata.name, portsOf(service)]));
  const routing = manifests.filter(({ kind }) => /^(VirtualService|DestinationRule|HTTPRoute|GRPCRoute|Rollout)$/.test(kind));
  return routing.flatMap((manifest) =>
    serviceReferences(manifest['spec'])
      .filter(({ name, port }) => {
        const ports = services.get(name);
        return ports === undefined || (port !== undefined && !Object.values(ports).includes(port));
      })
      .map(({ name, port }) => `${manifest.kind} ${manifest.metadata.name}: Service ${name} port ${port ?? 'any'}`),
  );
}

interface ServiceReference {
  readonly name: string;
  readonly port: number | undefined;
}

function serviceReferences(value: unknown, key = ''): ServiceReference[] {
  if (Array.isArray(value)) {
    const items = value as unknown[];
    if (key === 'hosts') return items.map((name) => ({ name: String(name), port: undefined }));
    return items.flatMap((item) => serviceReferences(item, key));
  }
  if (typeof value === 'string') return /^host$|Service$/.test(key) ? [{ name: value, port: undefined }] : [];
  if (typeof value !== 'object' || value === null) return [];
  const fields = value as Readonly<Record<string, unknown>>;
  const { name, host, port } = fields;
  if (key === 'backendRefs') return [{ name: String(name), port: port as number }];
  if (key === 'destination') return [{ name: String(host), port: (port as { number: number }).number }];
  return Object.entries(fields).flatMap(([field, inner]) => serviceReferences(inner, field));
}

/** What the one autoscaler that is there scales. */
export function scaleTargetOf(manifests: readonly Manifest[]): unknown {
  const targets = manifests.flatMap(({ kind, spec }) => {
    if (!/^(HorizontalPodAutoscaler|ScaledObject|VerticalPodAutoscaler)$/.test(kind)) return [];
    const { scaleTargetRef, targetRef } = spec as { scaleTargetRef?: unknown; targetRef?: unknown };
    return [scaleTargetRef ?? targetRef];
  });
  if (targets.length !== 1) throw new Error(`${targets.length} autoscalers`);
  return targets[0];
}
