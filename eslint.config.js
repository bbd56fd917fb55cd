import js from '@eslint/js';
import { createTypeScriptImportResolver } from 'eslint-import-resolver-typescript';
import { importX } from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

/** The parts of src/ and, for each, what it may import besides itself. Requests go down this list; nothing imports from above its own. Serving never loads planning, nor the packages that only that needs. */
const LEAVES = ['telemetry', 'config', 'errors.ts'];
const CONTROL = ['models', 'health', 'rollout', 'management'];
const BELOW_SERVER = ['lifecycle', 'frontend', ...CONTROL, 'bridge', ...LEAVES];
const mayImport = {
  'main.ts': ['commands', 'server.ts', 'planning', ...BELOW_SERVER],
  commands: ['server.ts', 'planning', 'download', 'manifests', ...BELOW_SERVER],
  planning: ['manifests', ...CONTROL, 'bridge', ...LEAVES],
  download: LEAVES,
  manifests: LEAVES,
  'server.ts': BELOW_SERVER,
  lifecycle: ['bridge', ...LEAVES],
  frontend: ['bridge', ...LEAVES],
  ...Object.fromEntries(CONTROL.map((part) => [part, [...CONTROL, 'bridge', ...LEAVES]])),
  bridge: LEAVES,
  telemetry: ['errors.ts'],
  config: ['errors.ts'],
  'errors.ts': [],
};
const parts = Object.keys(mayImport);
const filesOf = (part) => (part.endsWith('.ts') ? `src/${part}` : `src/${part}/**`);

const zones = Object.entries(mayImport).map(([part, below]) => ({
  target: `./src/${part}`,
  from: './src',
  except: [...new Set([part, ...below])].map((name) => `./${name}`),
  message: `src/${part} may import only ${below.length > 0 ? below.join(', ') : 'nothing of ours'} (order of the folders).`,
}));

const ENVIRONMENT = { object: 'process', property: 'env', message: 'Only src/config reads the environment.' };
const EXIT = { object: 'process', property: 'exit', message: 'Only src/main.ts ends the process.' };
const JOIN = { object: 'Buffer', property: 'concat', message: 'Bytes of messages are not joined here: hand the chunks on as they are.' };
/** A request's way from the socket to the engine and back: its bytes are copied once, by the native gather. */
const INFER_PATH = [
  'src/frontend/http/{exchange,infer,reply,request-body}.ts',
  'src/frontend/grpc/{infer,unary}.ts',
  'src/bridge/inference.ts',
];
const COPIES = [
  "CallExpression[callee.object.name='Buffer'][callee.property.name=/^(concat|copyBytesFrom)$/]",
  // With an encoding it makes bytes of a text: a small answer, whose copies the engine counts.
  "CallExpression[callee.object.name='Buffer'][callee.property.name='from'][arguments.length=1]",
  "CallExpression[callee.property.name='copy']",
  "CallExpression[callee.object.name='Uint8Array']",
].map((selector) => ({ selector, message: 'Bytes of messages are not copied here: hand the chunks on as they are.' }));
/** `import { env } from 'node:process'` would go round the rules above. */
const PROCESS_MODULES = ['process', 'node:process'].map((name) => ({ name, message: 'Use the global `process`.' }));

const restrict = (files, properties) => ({ files, rules: { 'no-restricted-properties': ['error', ...properties] } });

export default tseslint.config(
  { ignores: ['build/', 'dist/', 'node_modules/', 'coverage/', 'models/', 'test/fixtures/', 'bench/results/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  {
    files: ['**/*.{js,mjs}'],
    languageOptions: { globals: Object.fromEntries(Object.getOwnPropertyNames(globalThis).map((name) => [name, 'readonly'])) },
  },
  { files: ['bench/k6/**/*.js'], languageOptions: { globals: { __ENV: 'readonly' } } },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { project: './test/tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    plugins: { 'import-x': importX },
    settings: {
      // Without these two the plugin does not follow imports into TypeScript, and sees no cycle.
      'import-x/extensions': ['.ts'],
      'import-x/parsers': { '@typescript-eslint/parser': ['.ts'] },
      'import-x/resolver-next': [createTypeScriptImportResolver({ project: './tsconfig.json' })],
    },
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      eqeqeq: 'error',
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      'import-x/no-cycle': 'error',
      'import-x/no-default-export': 'error',
      'import-x/no-restricted-paths': ['error', { basePath: import.meta.dirname, zones }],
      'no-restricted-imports': ['error', { paths: PROCESS_MODULES }],
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: parts.map(filesOf),
    rules: {
      'no-restricted-syntax': [
        'error',
        { selector: 'Program', message: 'This place has no rank in the order of src/ (eslint.config.js: mayImport).' },
      ],
    },
  },
  { files: ['src/bridge/addon.ts'], rules: { '@typescript-eslint/no-explicit-any': 'off' } },
  restrict(['src/**/*.ts'], [ENVIRONMENT, EXIT]),
  restrict(['src/frontend/**/*.ts', 'src/bridge/**/*.ts'], [ENVIRONMENT, EXIT, JOIN]),
  { files: INFER_PATH, rules: { 'no-restricted-syntax': ['error', ...COPIES] } },
  restrict(['src/config/**/*.ts'], [EXIT]),
  restrict(['src/main.ts'], [ENVIRONMENT]),
);
