/** Texts that Prometheus reads, and Kustomize does not. */
import type { Manifest } from '../kustomize.js';
import { ofKind, specOf, titleOf } from '../workloads.js';

interface ScaledSpec {
  readonly triggers?: readonly { readonly type: string; readonly metadata?: Readonly<Record<string, string>> }[];
}

const queriesOf = (scaled: Manifest): string[] =>
  (specOf<ScaledSpec>(scaled).triggers ?? []).flatMap(({ metadata }) => metadata?.['query'] ?? []);

/** An overlay with another namespace that forgets the queries has an autoscaler that sees no pods, or those of somebody else. */
export function queriesAreAboutTheirOwnNamespace(manifests: readonly Manifest[]): string[] {
  return ofKind(manifests, 'ScaledObject').flatMap((scaled) => {
    const { namespace } = scaled.metadata;
    if (namespace === undefined) return [];
    return queriesOf(scaled).flatMap((query) =>
      [...query.matchAll(/\bnamespace=~?"([^"]*)"/g)]
        .filter(([, asked]) => asked !== namespace)
        .map(([matcher]) => `${titleOf(scaled)}: a query has ${matcher} and not ${namespace}`),
    );
  });
}

/** Two that ask the same question each start pods for the load of both. */
export function autoscalersAskAboutTheirOwnPods(manifests: readonly Manifest[]): string[] {
  const all = ofKind(manifests, 'ScaledObject');
  return all.flatMap((scaled, index) =>
    all
      .slice(index + 1)
      .filter((other) => other.metadata.namespace === scaled.metadata.namespace)
      .filter((other) => queriesOf(other).some((query) => queriesOf(scaled).includes(query)))
      .map((other) => `${titleOf(scaled)} and ${titleOf(other)} ask the same question`),
  );
}
