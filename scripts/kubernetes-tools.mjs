/**
 * The programs that check k8s/: named by what they are called, found in PATH or in build/kubernetes/bin. `node scripts/kubernetes-tools.mjs`
 * puts what is missing there with Go, and writes the schemas: all that the suite `kubernetes` needs.
 */
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { ensureInstalled } from './build-steps.mjs';
import { schemasAreThere, writeSchemas } from './kubernetes-schemas.mjs';
import { Failure, findProgram, main, root, run, say } from './processes.mjs';
import { filesBelow, fingerprint, stampMatches, writeStamp } from './stamps.mjs';

/** What `go install` takes. */
const TOOLS = {
  kustomize: 'sigs.k8s.io/kustomize/kustomize/v5@v5.8.1',
  kubeconform: 'github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0',
  k6: 'go.k6.io/k6@v1.8.1',
};

/** Ours: evaluates pods as the admission controller of Pod Security does. */
const POD_SECURITY = 'test/kubernetes/pod-security';

const EXIT_UNAVAILABLE = 69;
const BUILD_TIMEOUT_MS = 10 * 60_000;
const FOLDER = path.join(root, 'build', 'kubernetes', 'bin');
const PROMETHEUS = path.join(root, 'build', 'prometheus', 'usr', 'bin');
const podSecurityStamp = 'pod-security';
const podSecurityPrint = () => fingerprint(filesBelow(POD_SECURITY, () => true));

const isThere = (name) => (findProgram(name) ?? findProgram(path.join(FOLDER, name))) !== undefined;
const podSecurityIsThere = () => existsSync(path.join(FOLDER, 'pod-security')) && stampMatches(podSecurityStamp, podSecurityPrint());
const prometheusIsThere = () =>
  ['promtool', 'prometheus'].every((name) => (findProgram(name) ?? findProgram(path.join(PROMETHEUS, name))) !== undefined);

/** Why the suite cannot run, or undefined. */
export function kubernetesTestsMissing() {
  const lacks = Object.keys(TOOLS).filter((name) => !isThere(name));
  if (!podSecurityIsThere()) lacks.push(`the program of ${POD_SECURITY}`);
  if (!schemasAreThere()) lacks.push('the schemas');
  const byGo = lacks.length === 0 ? [] : [`${lacks.join(', ')} (with Go 1.26: node scripts/kubernetes-tools.mjs)`];
  const byDebian = [
    ...(prometheusIsThere() ? [] : ['promtool and prometheus (Debian package prometheus)']),
    ...['rclone', 'haproxy'].filter((name) => findProgram(name) === undefined).map((name) => `${name} (Debian package ${name})`),
  ];
  const all = [...byGo, ...byDebian];
  return all.length === 0 ? undefined : all.join('; ');
}

async function go(args, options = {}) {
  const { code } = await run('go', args, { timeoutMs: BUILD_TIMEOUT_MS, ...options });
  if (code !== 0) throw new Failure(EXIT_UNAVAILABLE, `go ${args.join(' ')} failed: see above.`);
}

async function install() {
  const isDone = Object.keys(TOOLS).every(isThere) && podSecurityIsThere() && schemasAreThere();
  if (isDone) return;
  if (findProgram('go') === undefined) throw new Failure(EXIT_UNAVAILABLE, 'There is no Go compiler: install Go 1.26 or later.');
  mkdirSync(FOLDER, { recursive: true });
  await ensureInstalled();
  await writeSchemas();
  for (const [name, source] of Object.entries(TOOLS)) {
    if (isThere(name)) continue;
    say(`installing ${name}`);
    await go(['install', source], { env: { GOBIN: FOLDER } });
  }
  if (podSecurityIsThere()) return;
  say(`building ${POD_SECURITY}`);
  await go(['build', '-C', path.join(root, POD_SECURITY), '-o', path.join(FOLDER, 'pod-security'), '.']);
  writeStamp(podSecurityStamp, podSecurityPrint());
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(install);
