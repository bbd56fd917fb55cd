import { describe, expect, it } from 'vitest';
import { build, find } from './kustomize.js';

describe('the base', () => {
  it('holds what an installation on any cluster needs, and nothing that needs more', async () => {
    const manifests = await build('base');
    expect(manifests.map(({ kind, metadata }) => `${kind} ${metadata.name.replace(/-[0-9a-z]{10}$/, '')}`).sort()).toEqual([
      'ConfigMap penstock-config',
      'Deployment penstock',
      'NetworkPolicy penstock',
      'PodDisruptionBudget penstock',
      'Service penstock',
      'Service penstock-headless',
      'ServiceAccount penstock',
    ]);
    expect(find(manifests, 'Deployment').apiVersion).toBe('apps/v1');
  });
});
