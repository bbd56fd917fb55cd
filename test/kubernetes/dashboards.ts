/** The Grafana dashboards of the component `monitoring`, and their queries as Prometheus would get them. */
import { find, type Manifest } from './kustomize.js';

export interface GridPosition {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: { readonly type: string; readonly uid: string };
  readonly gridPos: GridPosition;
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly targets?: readonly {
    readonly refId: string;
    readonly expr: string;
    readonly datasource: { readonly uid: string };
    readonly legendFormat: string;
  }[];
}

export interface Variable {
  readonly name: string;
  readonly type: string;
  readonly query: string | { readonly query: string };
  readonly datasource?: { readonly uid: string };
}

export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly schemaVersion: number;
  readonly templating: { readonly list: readonly Variable[] };
  readonly panels: readonly Panel[];
}

/** By the name of the file. */
export function dashboardsOf(manifests: readonly Manifest[]): ReadonlyMap<string, Dashboard> {
  const { data } = find(manifests, 'ConfigMap', 'penstock-dashboards') as Manifest & { readonly data: Readonly<Record<string, string>> };
  return new Map(Object.entries(data).map(([file, json]) => [file, JSON.parse(json) as Dashboard]));
}

/** Panels that show something. */
export function panelsOf({ panels }: Dashboard): readonly Panel[] {
  return panels.filter(({ type }) => type !== 'row');
}

/** With everything chosen in the dashboard's variables. `rateInterval`: such as "1m". */
export function promqlOf(expr: string, rateInterval: string): string {
  return expr.replaceAll('$__rate_interval', rateInterval).replaceAll(/\$(?:namespace|pod|model|gpu)\b/g, '.*');
}
