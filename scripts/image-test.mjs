/**
 * The suite `image`: builds the CPU variant of Dockerfile.cuda from a base made on this machine, and runs it as k8s/base would, but as a
 * random user. Real here: read-only root, no capabilities, no new privileges, system call filter, volumes, options, namespaces, and limits
 * where the machine allows them; no network. Not tried: NVIDIA's base images and the CUDA variant, which need a registry of images and a
 * download of several GB; what image-manifest.mjs names.
 */
import assert from 'node:assert/strict';
import { chmodSync, cpSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { baseContainer } from './image-manifest.mjs';
import { debianRelease, Podman } from './image-podman.mjs';
import { findTool } from './kubernetes-tools.mjs';
import { installHint } from './prerequisites.mjs';
import { findProgram, root, say } from './processes.mjs';
import { addCounts, verdict } from './test-results.mjs';

const IMAGE = 'localhost/penstock:local';
const CONTAINER = 'penstock';
const MAX_OWN_BYTES = 150 * 1000 * 1000;
const READY_TIMEOUT_MS = 60_000;

/** Not 0 and not the image's own user: any other has to do. */
const randomId = () => 100_000 + Math.floor(Math.random() * 900_000);

export function imageTestMissing() {
  if (process.platform !== 'linux') return 'Linux: containers are built and run without a virtual machine';
  const programs = ['podman', 'debootstrap'].filter((name) => !findProgram(name));
  if (!findProgram('runc') && !findProgram('crun')) programs.push('runc');
  if (programs.length > 0) {
    const names = programs.join(' ');
    return `${programs.join(', ')}: ${installHint({ debian: names, fedora: names, macos: names })}`;
  }
  if (findTool('kustomize') === undefined) return 'kustomize, which builds k8s/base (with Go 1.26: node scripts/kubernetes-tools.mjs)';
  if (process.getuid() !== 0) return 'root, which makes the base image (debootstrap)';
  return debianRelease() === undefined ? "Debian's or Ubuntu's packages, of which the base image is made (debootstrap)" : undefined;
}

async function check(sentence, body) {
  try {
    await body();
    return verdict(true);
  } catch (error) {
    say(`the image ${sentence}: FAILED`);
    for (const line of error.message.split('\n')) say(`  ${line}`);
    return verdict(false);
  }
}

/** Runs a part of test/image/inside.mjs in the container, as the container's user. */
async function inside(podman, part) {
  const { code, output } = await podman.command('exec', CONTAINER, 'node', '/test/inside.mjs', part);
  assert.equal(code, 0, output);
}

function checkSettings(podman) {
  const [image] = podman.json('image', 'inspect', IMAGE);
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  assert.match(image.Config.User, /^[1-9]\d*:[1-9]\d*$/);
  assert.deepEqual(Object.keys(image.Config.ExposedPorts).sort(), ['8000/tcp', '8001/tcp', '8002/tcp']);
  assert.equal(image.Config.StopSignal, 'SIGTERM');
  assert.equal(image.Config.Labels['org.opencontainers.image.version'], `${version}-cpu`);
}

function checkSize(podman) {
  const bytes = podman.ownBytes(IMAGE);
  say(`image: its own layers hold ${(bytes / 1e6).toFixed(1)} MB`);
  assert.ok(bytes > 0 && bytes <= MAX_OWN_BYTES, `${bytes} bytes; at most ${MAX_OWN_BYTES} are allowed`);
}

async function untilReady(podman) {
  const deadline = performance.now() + READY_TIMEOUT_MS;
  for (;;) {
    const { code, output } = await podman.command('exec', CONTAINER, 'node', '/test/inside.mjs', 'ready');
    if (code === 0) return;
    if (performance.now() > deadline) throw new Error(`it was not ready in time: ${output}`);
    await delay(200);
  }
}

/** The image's health check says 0 while it serves, and 1 in a container where nothing does. */
async function checkHealthCheck(podman, container) {
  const alive = await podman.command('healthcheck', 'run', CONTAINER);
  assert.equal(alive.code, 0, alive.output);
  const [, program, ...args] = podman.json('image', 'inspect', IMAGE)[0].Healthcheck.Test;
  const dead = await podman.runContainer(container, ['--rm', '--no-healthcheck', '--entrypoint', program], IMAGE, args);
  assert.equal(dead.code, 1, dead.output);
}

/** After SIGTERM it is not ready, answers for the drain delay, and ends with 0. */
async function checkDrain(podman) {
  await podman.command('kill', '--signal', 'TERM', CONTAINER);
  await inside(podman, 'drains');
  const { output } = await podman.command('wait', CONTAINER);
  assert.equal(output.trim().split('\n').at(-1), '0', output);
  const { ExitCode, OOMKilled } = podman.json('container', 'inspect', CONTAINER)[0].State;
  assert.deepEqual({ ExitCode, OOMKilled }, { ExitCode: 0, OOMKilled: false });
}

/** The copy's path. A copy, because a checkout may be closed to all users but its own. */
function readableCopy(part, folder, name) {
  const copy = path.join(folder, name);
  cpSync(path.join(root, part), copy, { recursive: true });
  chmodSync(copy, 0o755);
  for (const entry of readdirSync(copy, { recursive: true, withFileTypes: true })) {
    chmodSync(path.join(entry.parentPath, entry.name), entry.isDirectory() ? 0o755 : 0o644);
  }
  return copy;
}

async function testImage(podman, container, folder) {
  await podman.build(IMAGE);
  const parts = readableCopy(path.join('test', 'image'), folder, 'test');
  const ids = [container.uid, container.gid].join(':');
  const told = [`PENSTOCK_TEST_IDS=${ids}`, `PENSTOCK_TEST_MEMORY_BYTES=${container.memoryBytes}`].flatMap((variable) => [
    '--env',
    variable,
  ]);
  const flags = ['--detach', '--name', CONTAINER, '--volume', `${parts}:/test:ro`, ...told];
  const started = await podman.runContainer(container, flags, IMAGE);
  if (started.code !== 0) throw new Error(`the container did not start:\n${started.output}`);
  const counts = [
    await check('has the settings that orchestrators read', () => checkSettings(podman)),
    await check('is small', () => checkSize(podman)),
    await check('becomes ready', () => untilReady(podman)),
    await check('runs as a random user who may write nothing', () => inside(podman, 'restricted')),
    ...(podman.setsLimits ? [await check('runs under the memory limit of the base', () => inside(podman, 'limited'))] : []),
    await check('holds what serving needs, and nothing else', () => inside(podman, 'contents')),
    await check('answers over HTTP', () => inside(podman, 'http')),
    await check('answers over gRPC', () => inside(podman, 'grpc')),
    await check('measures itself over gRPC', () => inside(podman, 'bench')),
    await check('tells its health', () => checkHealthCheck(podman, container)),
    await check('drains and ends with 0 when it is asked to stop', () => checkDrain(podman)),
  ];
  if (counts.some(({ failed }) => failed > 0)) say((await podman.command('logs', CONTAINER)).output);
  return addCounts(counts);
}

export async function runImageTest() {
  // Not /tmp, which may lie in memory: all layers together take a few GB for a while.
  const folder = mkdtempSync('/var/tmp/penstock-image-');
  const podman = new Podman(folder);
  try {
    const container = await baseContainer({ uid: randomId(), gid: randomId(), folder, models: readableCopy('models', folder, 'models') });
    await podman.makeBase(debianRelease());
    const why = await podman.whyNoContainerStarts(container);
    // The machine's fault, which no installation mends; CI accepts it.
    if (why !== undefined) return { passed: 0, failed: 0, skipped: 1, note: `no container can be started here: ${why}` };
    if (!podman.setsLimits) say('image: this machine lets Podman set no limits of memory and CPU, so they are not tried');
    return await testImage(podman, container, folder);
  } catch (error) {
    for (const line of error.message.split('\n')) say(line);
    return { passed: 0, failed: 1, note: error.message.split('\n')[0] };
  } finally {
    await podman.remove();
  }
}
