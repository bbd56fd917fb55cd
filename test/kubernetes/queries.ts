/** Where manifests ask for metrics: rules, autoscalers, analyses of rollouts, dashboards. */
import type { Manifest } from './kustomize.js';
import { metricsIn } from './promql.js';
import { ofKind, specOf, titleOf } from './workloads.js';

export interface Asked {
  /** Who asks. */
  readonly by: string;
  readonly metric: string;
}

interface RuleSpec {
  readonly groups?: readonly {
    readonly rules?: readonly { readonly record?: string; readonly alert?: string; readonly expr: string | number }[];
  }[];
}

interface MetricName {
  readonly metric?: { readonly name: string };
}

interface HpaSpec {
  readonly metrics?: readonly { readonly pods?: MetricName; readonly object?: MetricName; readonly external?: MetricName }[];
}

interface ScaledSpec {
  readonly triggers?: readonly { readonly type: string; readonly metadata: Readonly<Record<string, string>> }[];
}

interface AnalysisSpec {
  readonly metrics?: readonly { readonly name: string; readonly provider?: { readonly prometheus?: { readonly query?: string } } }[];
}

/** Names of recording rules. */
export const recordings = (manifests: readonly Manifest[]): string[] =>
  ofKind(manifests, 'PrometheusRule')
    .flatMap((manifest) => specOf<RuleSpec>(manifest).groups ?? [])
    .flatMap(({ rules = [] }) => rules.flatMap(({ record }) => record ?? []));

/** Every metric that the manifests ask for. Throws on a query that is not PromQL. */
export function asked(manifests: readonly Manifest[]): Asked[] {
  const byQuery = queries(manifests).flatMap(({ by, query }) => {
    try {
      return metricsIn(query).map((metric) => ({ by, metric }));
    } catch (thrown) {
      throw new Error(`${by}: ${thrown instanceof Error ? thrown.message : String(thrown)}`, { cause: thrown });
    }
  });
  const byName = ofKind(manifests, 'HorizontalPodAutoscaler').flatMap((manifest) =>
    (specOf<HpaSpec>(manifest).metrics ?? [])
      .flatMap(({ pods, object, external }) => (pods ?? object ?? external)?.metric?.name ?? [])
      .map((metric) => ({ by: titleOf(manifest), metric })),
  );
  return [...byQuery, ...byName];
}

interface Query {
  readonly by: string;
  readonly query: string;
}

function queries(manifests: readonly Manifest[]): Query[] {
  return manifests.flatMap((manifest) => {
    const by = titleOf(manifest);
    switch (manifest.kind) {
      case 'PrometheusRule':
        return (specOf<RuleSpec>(manifest).groups ?? []).flatMap(({ rules = [] }) =>
          rules.map(({ record, alert, expr }) => ({ by: `${by}: ${record ?? alert ?? ''}`, query: String(expr) })),
        );
      case 'ScaledObject':
        return (specOf<ScaledSpec>(manifest).triggers ?? [])
          .filter(({ type }) => type === 'prometheus')
          .map(({ metadata }) => ({ by, query: metadata['query'] ?? '' }));
      case 'AnalysisTemplate':
      case 'ClusterAnalysisTemplate':
        return (specOf<AnalysisSpec>(manifest).metrics ?? []).flatMap(({ name, provider }) =>
          provider?.prometheus?.query === undefined ? [] : [{ by: `${by}: ${name}`, query: provider.prometheus.query }],
        );
      case 'MetricTemplate':
        return [{ by, query: specOf<{ query: string }>(manifest).query }];
      case 'ConfigMap':
        return dashboards(manifest).map((query) => ({ by, query }));
      default:
        return [];
    }
  });
}

/** What the panels and variables of Grafana's dashboards ask. */
function dashboards(configMap: Manifest): string[] {
  const files = Object.entries((configMap['data'] ?? {}) as Readonly<Record<string, string>>);
  return files.filter(([name]) => name.endsWith('.json')).flatMap(([, text]) => expressions(JSON.parse(text)));
}

function expressions(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]: [string, unknown]) => {
    if (key === 'expr' && typeof inner === 'string') return [inner];
    // label_values(metric{...}, label), query_result(query)
    const [, ofVariable] = typeof inner === 'string' ? (/^(?:label_values|query_result)\((.*?)(?:,\s*\w+)?\)$/s.exec(inner) ?? []) : [];
    return ofVariable === undefined
      ? expressions(inner)
      : /^\w+$/.test(ofVariable) && inner === `label_values(${ofVariable})`
        ? []
        : [ofVariable];
  });
}
