import { basename } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildAll, components, kustomizations, parts, words, type Build } from './builds.js';
import type { Manifest } from './kustomize.js';
import { lint } from './lint.js';
import { podSecurityViolations } from './pod-security.js';
import { conforms } from './schema.js';

/** Fields of kustomization.yaml that Kustomize says are on their way out: https://kubectl.docs.kubernetes.io/references/kustomize/kustomization */
const DEPRECATED = [
  'bases',
  'commonLabels',
  'patchesJson6902',
  'patchesStrategicMerge',
  'vars',
  'helmChartInflationGenerator',
  'imageTags',
];

/** Some hundred runs of Kustomize, on a machine that may be busy. */
const BUILD_MS = 5 * 60_000;

describe('k8s/', () => {
  let builds: readonly Build[];
  let failures: readonly string[];

  beforeAll(async () => {
    ({ builds, failures } = await buildAll());
  }, BUILD_MS);

  /** Each complaint once, with the first build that has it. */
  const everywhere = (complaintsOf: (manifests: readonly Manifest[], build: Build) => readonly string[]): string[] => {
    const firstBuilds = new Map<string, string>();
    for (const build of builds)
      for (const complaint of complaintsOf(build.manifests, build)) if (!firstBuilds.has(complaint)) firstBuilds.set(complaint, build.name);
    return [...firstBuilds].map(([complaint, name]) => `${name}: ${complaint}`);
  };

  it('builds: each kustomization, each component alone on the base, and each documented combination in both orders', () => {
    expect(failures).toEqual([]);
    expect(builds.length).toBeGreaterThanOrEqual(kustomizations.filter(({ kind }) => kind === 'Kustomization').length + components.length);
  });

  it('has no manifest that a strict API server would refuse', async () => {
    expect(await conforms(builds.flatMap(({ manifests }) => manifests))).toEqual([]);
  });

  it('makes pods that Pod Security admits: under "restricted", where no namespace of their own says otherwise', () => {
    expect(everywhere(podSecurityViolations)).toEqual([]);
  });

  it('has none of the faults that an API server would not tell', () => {
    expect(everywhere((manifests, { given }) => lint(manifests, given))).toEqual([]);
  });

  it('uses no deprecated field of Kustomize', () => {
    const found = kustomizations.flatMap(({ folder, keys }) =>
      keys.filter((key) => DEPRECATED.includes(key)).map((key) => `${folder}: ${key}`),
    );
    expect(found).toEqual([]);
  });

  it('has no parts that nothing takes in', () => {
    const used = new Set(kustomizations.flatMap(parts));
    const parted = kustomizations.filter((one) => one.kind === 'Component' && !components.includes(one));
    expect(parted.map(({ folder }) => folder).filter((folder) => !used.has(folder))).toEqual([]);
  });

  it('says of each component what it does, what it needs, and with which others it goes', () => {
    const names = new Set(components.map(({ folder }) => basename(folder)));
    const faults = components.flatMap(({ folder, annotations }) => {
      const goesWith = words(annotations['penstock/with']).flatMap((others) => others.split('+'));
      const conflicts = words(annotations['penstock/conflicts']);
      return [
        ...['penstock/summary', 'penstock/needs'].filter((key) => (annotations[key] ?? '') === '').map((key) => `${folder} lacks ${key}`),
        ...[...goesWith, ...conflicts].filter((name) => !names.has(name)).map((name) => `${folder}: there is no component ${name}`),
        ...goesWith.filter((name) => conflicts.includes(name)).map((name) => `${folder} goes with ${name} and conflicts with it`),
      ];
    });
    expect(faults).toEqual([]);
  });
});
