import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { dashboardsOf, panelsOf, promqlOf, type Dashboard, type GridPosition } from './dashboards.js';
import { foreignMetrics } from './foreign-metrics.js';
import { find, type Manifest } from './kustomize.js';
import { withMonitoring, writeRulesFile } from './rules.js';
import { runTool } from './tools.js';

let manifests: Manifest[];
let dashboards: ReadonlyMap<string, Dashboard>;

beforeAll(async () => {
  manifests = await withMonitoring();
  dashboards = dashboardsOf(manifests);
});

it("Grafana's sidecar finds both dashboards", () => {
  expect(find(manifests, 'ConfigMap', 'penstock-dashboards').metadata.labels).toMatchObject({ grafana_dashboard: '1' });
  expect([...dashboards].map(([file, { uid }]) => [file, uid]).sort()).toEqual([
    ['penstock-gpu.json', 'penstock-gpu'],
    ['penstock.json', 'penstock'],
  ]);
});

describe.each(['penstock.json', 'penstock-gpu.json'])('%s', (file) => {
  let dashboard: Dashboard;

  beforeAll(() => {
    const found = dashboards.get(file);
    if (found === undefined) throw new Error(`there is no ${file}`);
    dashboard = found;
  });

  it('has variables to choose by, and a data source that is one of them', () => {
    const names = dashboard.templating.list.map(({ name }) => name);
    expect(names).toEqual(['datasource', 'namespace', 'pod', file === 'penstock.json' ? 'model' : 'gpu']);
    expect(dashboard.templating.list[0]).toMatchObject({ type: 'datasource', query: 'prometheus' });
    const queries = JSON.stringify(dashboard).matchAll(/\$\{?(\w+)/g);
    const used = new Set([...queries].map(([, name = '']) => name).filter((name) => !name.startsWith('__')));
    expect([...used].sort()).toEqual([...names].sort());
  });

  it('has panels that say what they show, in which unit, from the chosen data source', () => {
    for (const panel of panelsOf(dashboard)) {
      const { title, description = '', fieldConfig, datasource, targets = [] } = panel;
      expect([title, description.length > 10, typeof fieldConfig?.defaults.unit]).toEqual([title, true, 'string']);
      expect([title, datasource?.uid, targets.length > 0]).toEqual([title, '${datasource}', true]);
      for (const target of targets) expect([title, target.datasource.uid]).toEqual([title, '${datasource}']);
      expect(new Set(targets.map(({ refId }) => refId)).size).toBe(targets.length);
    }
  });

  it('has one id and one title for each panel', () => {
    const { panels } = dashboard;
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
  });

  it('has a grid in which no panel covers another', () => {
    const overlap = (one: GridPosition, other: GridPosition): boolean =>
      one.x < other.x + other.w && other.x < one.x + one.w && one.y < other.y + other.h && other.y < one.y + one.h;
    for (const [index, { title, gridPos }] of dashboard.panels.entries()) {
      expect([title, gridPos.x >= 0 && gridPos.w > 0 && gridPos.h > 0 && gridPos.x + gridPos.w <= 24]).toEqual([title, true]);
      const covered = dashboard.panels.slice(index + 1).filter((other) => overlap(gridPos, other.gridPos));
      expect([title, covered.map((other) => other.title)]).toEqual([title, []]);
    }
  });

  it('has queries that Prometheus can read', async () => {
    const queries = panelsOf(dashboard).flatMap(({ targets = [] }) => targets.map(({ expr }) => promqlOf(expr, '1m')));
    const folder = await mkdtemp(join(tmpdir(), 'penstock-dashboard-'));
    try {
      const path = join(folder, 'queries.yaml');
      await writeRulesFile([{ name: file, rules: queries.map((expr, index) => ({ record: `query_${index}`, expr })) }], path);
      await runTool('promtool', ['check', 'rules', path]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('asks the DCGM exporter for nothing that it does not tell unasked', () => {
    const asked = new Set([...JSON.stringify(dashboard).matchAll(/DCGM_\w+/g)].map(([name]) => name));
    expect([...asked].filter((name) => !foreignMetrics.has(name))).toEqual([]);
    expect(asked.size > 0).toBe(file === 'penstock-gpu.json');
  });
});
