import { ESLint } from 'eslint';
import tseslint from 'typescript-eslint';
import { beforeAll, describe, expect, it } from 'vitest';
import { filesBelow, root } from './tree.js';

/** Without type information any path can be linted, also one that does not exist. */
const byPath = new ESLint({
  cwd: root,
  overrideConfig: [{ files: ['**/*.ts'], ...tseslint.configs.disableTypeChecked }],
});
/** With the types of src/ alone, which are there sooner than those of the tests, too. */
const parserOptions = {
  project: './tsconfig.json',
  tsconfigRootDir: root,
  // With CI=true it would look at what is on the disk instead of the text that it is given.
  disallowAutomaticSingleRunInference: true,
};
const byType = new ESLint({ cwd: root, overrideConfig: [{ files: ['**/*.ts'], languageOptions: { parserOptions } }] });

async function rulesAgainst(file: string, code: string, eslint = byPath): Promise<(string | null)[]> {
  const [result] = await eslint.lintText(code, { filePath: file });
  return (result?.messages ?? []).map(({ ruleId, message }) => ruleId ?? message);
}

/** Some module of a part of src/, for an import to point at. */
function moduleOf(part: string): string {
  const [file] = part.endsWith('.ts') ? [`src/${part}`] : filesBelow(`src/${part}`, /\.ts$/);
  if (file === undefined) throw new Error(`src/${part} has no module to import`);
  return file.replace(/^src\//, '').replace(/\.ts$/, '.js');
}

/** Lints `from` (a path below src/) as it imports a module of `part`. */
function importing(from: string, part: string): Promise<(string | null)[]> {
  const up = from.split('/').length === 1 ? './' : '../'.repeat(from.split('/').length - 1);
  return rulesAgainst(`src/${from}`, `import '${up}${moduleOf(part)}';\n`);
}

describe('the order of the folders of src/', () => {
  beforeAll(async () => {
    await rulesAgainst('src/errors.ts', ''); // Loads the configuration once, outside the time of a test.
  });

  it.each([
    ['bridge/probe.ts', 'frontend'],
    ['bridge/probe.ts', 'models'],
    ['frontend/http/probe.ts', 'models'],
    ['frontend/probe.ts', 'health'],
    ['models/probe.ts', 'frontend'],
    ['health/probe.ts', 'frontend'],
    ['telemetry/probe.ts', 'bridge'],
    ['telemetry/probe.ts', 'config'],
    ['config/probe.ts', 'telemetry'],
    ['errors.ts', 'config'],
    ['download/probe.ts', 'lifecycle'],
    ['models/probe.ts', 'download'],
    ['server.ts', 'planning'],
    ['models/probe.ts', 'planning'],
    ['management/probe.ts', 'planning'],
    ['frontend/http/probe.ts', 'planning'],
    ['manifests/probe.ts', 'planning'],
    ['planning/probe.ts', 'server.ts'],
    ['planning/probe.ts', 'commands'],
    ['server.ts', 'manifests'],
  ])('refuses that src/%s imports src/%s', async (from, part) => {
    expect(await importing(from, part)).toEqual(['import-x/no-restricted-paths']);
  });

  it.each([
    ['server.ts', 'models'],
    ['server.ts', 'frontend'],
    ['frontend/http/probe.ts', 'bridge'],
    ['models/probe.ts', 'bridge'],
    ['models/probe.ts', 'health'],
    ['commands/probe.ts', 'planning'],
    ['planning/probe.ts', 'manifests'],
    ['planning/probe.ts', 'models'],
    ['bridge/probe.ts', 'errors.ts'],
    ['frontend/grpc/probe.ts', 'config'],
  ])('allows that src/%s imports src/%s', async (from, part) => {
    expect(await importing(from, part)).toEqual([]);
  });

  it.each(['src/stray.ts', 'src/newcomer/probe.ts'])('refuses a place without a rank: %s', async (file) => {
    expect(await rulesAgainst(file, 'export const one = 1;\n')).toEqual(['no-restricted-syntax']);
  });

  it('refuses a cycle', async () => {
    const rules = await rulesAgainst('src/bridge/addon.ts', "import './native-errors.js';\nimport './inference.js';\n");
    expect(rules).toContain('import-x/no-cycle');
  });
});

describe('one place for each dangerous thing', () => {
  const environment = 'export const home = process.env.HOME;\n';
  const exit = 'process.exit(1);\n';
  const concat = 'export const both = Buffer.concat([]);\n';

  it.each([
    ['src/server.ts', environment],
    ['src/main.ts', environment],
    ['src/bridge/probe.ts', environment],
    ['src/config/probe.ts', exit],
    ['src/commands/probe.ts', exit],
    ['src/frontend/http/probe.ts', concat],
    ['src/bridge/probe.ts', concat],
  ])('refuses in %s: %s', async (file, code) => {
    expect(await rulesAgainst(file, code)).toEqual(['no-restricted-properties']);
  });

  it.each([
    ['src/config/probe.ts', environment],
    ['src/main.ts', exit],
    ['src/models/probe.ts', concat],
    ['test/unit/probe.ts', environment],
  ])('allows in %s: %s', async (file, code) => {
    expect(await rulesAgainst(file, code)).toEqual([]);
  });

  it.each([
    ['src/frontend/http/infer.ts', 'export const twin = (chunk: Buffer): Buffer => Buffer.from(chunk);\n'],
    ['src/frontend/http/reply.ts', 'export const move = (from: Buffer, to: Buffer): number => from.copy(to);\n'],
    ['src/bridge/inference.ts', 'export const twin = (chunk: Buffer): Uint8Array => Uint8Array.from(chunk);\n'],
  ])('refuses a copy of bytes on the infer path, in %s', async (file, code) => {
    expect(await rulesAgainst(file, code)).toEqual(['no-restricted-syntax']);
  });

  it('refuses to take env or exit out of the process module', async () => {
    const code = "import { env } from 'node:process';\nexport const home = env.HOME;\n";
    expect(await rulesAgainst('src/models/probe.ts', code)).toEqual(['no-restricted-imports']);
  });
});

describe('habits', () => {
  it('refuses a promise that nobody waits for', async () => {
    const code = 'export function go(): void {\n  Promise.resolve(1);\n}\n';
    expect(await rulesAgainst('src/errors.ts', code, byType)).toEqual(['@typescript-eslint/no-floating-promises']);
  });

  it('refuses any, but in the file that mirrors the addon', async () => {
    const code = 'export const thing: any = 1;\n';
    expect(await rulesAgainst('src/models/probe.ts', code)).toEqual(['@typescript-eslint/no-explicit-any']);
    expect(await rulesAgainst('src/bridge/addon.ts', code)).toEqual([]);
  });

  it('asks for the types of exported functions', async () => {
    expect(await rulesAgainst('src/models/probe.ts', 'export const twice = (n) => n * 2;\n')).toEqual([
      '@typescript-eslint/explicit-module-boundary-types',
      '@typescript-eslint/explicit-module-boundary-types',
    ]);
  });

  it('refuses default exports', async () => {
    expect(await rulesAgainst('src/models/probe.ts', 'export default 1;\n')).toEqual(['import-x/no-default-export']);
  });
});
