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

/** What `go install` takes. A program that is in PATH is used as it is; ours is built again when its line changes. */
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

/** Of what comes with a system: program -> Debian package. */
const PACKAGES = { rclone: 'rclone', haproxy: 'haproxy', unshare: 'util-linux', setpriv: 'util-linux', script: 'bsdutils' };
/**
 * Only what is built here, for this machine, whatever a developer's shell has for other work. Git may refuse to tell the version of a
 * checkout that belongs to somebody else, so nobody asks it.
 */
const GO_ENVIRONMENT = {
  GOBIN: FOLDER,
  GOFLAGS: '-buildvcs=false',
  GOWORK: 'off',
  GOTOOLCHAIN: 'auto',
  GOOS: '',
  GOARCH: '',
  CGO_ENABLED: '0',
};

const stampOf = (name) => `tool-${name}`;
const ours = (name) => (stampMatches(stampOf(name), TOOLS[name]) ? findProgram(path.join(FOLDER, name)) : undefined);

/** The path of one of TOOLS, or undefined. */
export const findTool = (name) => findProgram(name) ?? ours(name);

const isThere = (name) => findTool(name) !== undefined;
const podSecurityIsThere = () => existsSync(path.join(FOLDER, 'pod-security')) && stampMatches(podSecurityStamp, podSecurityPrint());
const prometheusIsThere = () =>
  ['promtool', 'prometheus'].every((name) => (findProgram(name) ?? findProgram(path.join(PROMETHEUS, name))) !== undefined);

const withGo = (lacks) => `${lacks.join(', ')} (with Go 1.26: node scripts/kubernetes-tools.mjs)`;

/** Why the suite of bench/k6 cannot run, or undefined. */
export const k6TestsMissing = () => (isThere('k6') ? undefined : withGo(['k6']));

/** Why the suite `kubernetes` cannot run, or undefined. */
export function kubernetesTestsMissing() {
  const lacks = Object.keys(TOOLS).filter((name) => !isThere(name));
  if (!podSecurityIsThere()) lacks.push(`the program of ${POD_SECURITY}`);
  if (!schemasAreThere()) lacks.push('the schemas');
  const byGo = lacks.length === 0 ? [] : [withGo(lacks)];
  const byDebian = [
    ...(prometheusIsThere() ? [] : ['promtool and prometheus (Debian package prometheus)']),
    ...Object.keys(PACKAGES)
      .filter((name) => findProgram(name) === undefined)
      .map((name) => `${name} (Debian package ${PACKAGES[name]})`),
  ];
  const all = [...byGo, ...byDebian];
  return all.length === 0 ? undefined : all.join('; ');
}

async function go(...args) {
  const { code } = await run('go', args, { env: GO_ENVIRONMENT, timeoutMs: BUILD_TIMEOUT_MS });
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
    // Without what only debuggers read, which is a third of it.
    await go('install', '-ldflags=-s', source);
    writeStamp(stampOf(name), source);
  }
  if (podSecurityIsThere()) return;
  say(`building ${POD_SECURITY}`);
  const print = podSecurityPrint(); // Before building: an edit meanwhile makes it stale again.
  await go('build', '-C', path.join(root, POD_SECURITY), '-ldflags=-s', '-o', path.join(FOLDER, 'pod-security'), '.');
  writeStamp(podSecurityStamp, print);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(install);
