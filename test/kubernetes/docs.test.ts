import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readCatalog } from '../../src/manifests/catalog.js';
import { repositoryRoot } from '../support/server-process.js';
import { compose, find, k8s } from './kustomize.js';

const text = readFileSync(join(repositoryRoot, 'docs/kubernetes.md'), 'utf8');
const catalog = readCatalog(k8s);

describe('docs/kubernetes.md', () => {
  it('has the table of components that their annotations make', () => {
    const [, table = ''] = /<!-- components -->([^]*)<!-- \/components -->/.exec(text) ?? [];
    const rows = table.split('\n').filter((line) => line.startsWith('| `'));
    const cells = rows.map((row) =>
      row
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
    expect(cells).toEqual(catalog.map(({ name, summary, needs, conflicts }) => [`\`${name}\``, summary, needs, conflicts.join(', ')]));
  });

  it('says more about each component', () => {
    const [, prose = ''] = text.split('<!-- /components -->');
    const missing = catalog.filter(({ name }) => !new RegExp(`(\\*\\*|\`|, )${name}(\\*\\*|\`|,)`).test(prose));
    expect(missing.map(({ name }) => name)).toEqual([]);
  });

  it('names folders and files that are there', () => {
    const paths = [...text.matchAll(/`(?:k8s\/)?((?:overlays|components|jobs|kserve|base|namespace)\/[\w./-]+)`/g)].map(
      (match) => match[1] ?? '',
    );
    expect(paths.length).toBeGreaterThan(10);
    expect(paths.filter((path) => !existsSync(join(k8s, path)))).toEqual([]);
  });
});

describe('the image', () => {
  const { version } = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8')) as { readonly version: string };
  const readme = readFileSync(join(repositoryRoot, 'README.md'), 'utf8');

  it.each([
    ['cpu', []],
    ['cuda', ['gpu']],
  ])('of manifests is the one that the README builds, of this version: %s', async (variant, components) => {
    const image = `penstock:${version}-${variant}`;
    const { template } = find(await compose({ components }), 'Deployment')['spec'] as {
      readonly template: { readonly spec: { readonly containers: readonly { readonly image: string }[] } };
    };
    expect(template.spec.containers[0]?.image).toBe(image);
    expect(readme).toContain(`--build-arg VARIANT=${variant} -t ${image} `);
  });
});
