/**
 * Writes the schemas by which test/kubernetes checks manifests to build/kubernetes/schemas, out of what each project publishes in its
 * Go module: `node scripts/kubernetes-schemas.mjs`. Does nothing when they are there already.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { builtInSchemas, customSchemas } from './json-schemas.mjs';
import { Failure, findProgram, main, root, run, say, seconds } from './processes.mjs';
import { fingerprint } from './stamps.mjs';
import { readZip } from './zip.mjs';

/** Kubernetes itself: the OpenAPI document is in no smaller module. */
const KUBERNETES = { module: 'k8s.io/kubernetes', version: 'v1.36.3', document: 'api/openapi-spec/swagger.json' };

/** Where the definitions of custom resources are: files of the module. */
const CUSTOM = [
  { module: 'github.com/kedacore/keda/v2', version: 'v2.21.0', files: /^config\/crd\/bases\/keda\.sh_\w+\.yaml$/ },
  { module: 'github.com/argoproj/argo-rollouts', version: 'v1.10.2', files: /^manifests\/crds\/(rollout|analysis-template)-crd\.yaml$/ },
  { module: 'github.com/fluxcd/flagger', version: 'v1.36.1', files: /^artifacts\/flagger\/crd\.yaml$/ },
  { module: 'istio.io/api', version: 'v1.31.1', files: /^kubernetes\/customresourcedefinitions\.gen\.yaml$/ },
  {
    module: 'sigs.k8s.io/gateway-api',
    version: 'v1.7.0',
    files: /^config\/crd\/standard\/gateway\.networking\.k8s\.io_(gateways|httproutes|grpcroutes|backendtlspolicies)\.yaml$/,
  },
  {
    module: 'github.com/prometheus-operator/prometheus-operator',
    version: 'v0.85.0',
    files: /^jsonnet\/prometheus-operator\/(servicemonitors|podmonitors|prometheusrules)-crd\.json$/,
  },
  { module: 'k8s.io/autoscaler/vertical-pod-autoscaler', version: 'v1.8.1', files: /^deploy\/vpa-v1-crd-gen\.yaml$/ },
  {
    module: 'github.com/kserve/kserve',
    version: 'v0.20.0',
    files:
      /^config\/crd\/full\/(localmodel\/)?serving\.kserve\.io_(clusterservingruntimes|inferenceservices|localmodelcaches|localmodelnodegroups)\.yaml$/,
  },
];

const EXIT_UNAVAILABLE = 69;
const DOWNLOAD_TIMEOUT_MS = 10 * 60_000;
const folder = path.join(root, 'build', 'kubernetes', 'schemas');
const stampFile = path.join(folder, 'stamp.json');
const sources = ['kubernetes-schemas', 'json-schemas', 'zip'].map((name) => `scripts/${name}.mjs`);

/** Are the schemas of exactly these versions there? */
export function schemasAreThere() {
  return existsSync(stampFile) && readFileSync(stampFile, 'utf8') === fingerprint(sources);
}

/** Needs Go. Rejects with a `Failure` when a module cannot be had. */
export async function writeSchemas() {
  if (schemasAreThere()) return;
  const startedMs = performance.now();
  const archives = await download([KUBERNETES, ...CUSTOM]);
  const filesOf = ({ module, version }, wanted) => {
    const prefix = `${module}@${version}/`;
    const files = readZip(archives.get(module), (name) => name.startsWith(prefix) && wanted(name.slice(prefix.length)));
    if (files.length === 0) throw new Failure(EXIT_UNAVAILABLE, `${module}@${version} does not hold the files that it is loaded for.`);
    return files.map(({ content }) => content.toString());
  };
  const [document] = filesOf(KUBERNETES, (name) => name === KUBERNETES.document);
  const swagger = JSON.parse(document);
  // Loaded here: `npm test` reads this file before it installs packages.
  const { parseAllDocuments } = await import('yaml');
  const definitions = CUSTOM.flatMap((one) => filesOf(one, (name) => one.files.test(name)))
    .flatMap((text) => (text.startsWith('{') ? [JSON.parse(text)] : parseAllDocuments(text).map((one) => one.toJS())))
    .filter((one) => one?.kind === 'CustomResourceDefinition');
  const schemas = [...builtInSchemas(swagger), ...definitions.flatMap((crd) => customSchemas(crd, swagger))];

  // Made aside and moved into place, so that an interrupted run leaves no half of a set behind.
  const aside = `${folder}.${process.pid}`;
  for (const { apiVersion, kind, schema } of schemas) {
    const file = path.join(aside, schemaPath(apiVersion, kind));
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, JSON.stringify(schema));
  }
  writeFileSync(path.join(aside, path.basename(stampFile)), fingerprint(sources));
  rmSync(folder, { recursive: true, force: true });
  renameSync(aside, folder);
  say(`wrote the schemas of ${schemas.length} kinds of Kubernetes objects in ${seconds(startedMs)}`);
}

/** As kubeconform fills `{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json`; of the core group, "v1" is its Group too. */
function schemaPath(apiVersion, kind) {
  const parts = apiVersion.split('/');
  return path.join(parts[0], `${kind.toLowerCase()}_${parts.at(-1)}.json`);
}

/** Resolves to the zip file of each module. */
async function download(modules) {
  if (findProgram('go') === undefined) throw new Failure(EXIT_UNAVAILABLE, 'The schemas come as Go modules: install Go (1.21 or later).');
  const names = modules.map(({ module, version }) => `${module}@${version}`);
  const { output } = await run('go', ['mod', 'download', '-json', ...names], {
    // No flags of a developer's own modules.
    env: { GOFLAGS: '', GOWORK: 'off', GOTOOLCHAIN: 'auto' },
    capture: true,
    timeoutMs: DOWNLOAD_TIMEOUT_MS,
  });
  const archives = new Map();
  for (const answer of output.match(/^\{\n[^]*?^\}$/gm) ?? []) {
    const { Path, Zip } = JSON.parse(answer);
    // A module for a later Go than ours is answered with an error too, and still its archive is there.
    if (Zip !== undefined) archives.set(Path, Zip);
  }
  const missing = modules.filter(({ module }) => !archives.has(module));
  if (missing.length > 0)
    throw new Failure(EXIT_UNAVAILABLE, `Go could not download ${missing.map(({ module }) => module).join(', ')}:\n${output}`);
  return archives;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(writeSchemas);
