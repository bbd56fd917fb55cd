/** Podman with a store of its own, and a base image made on this machine: no registry of images has to be reached. */
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { findProgram, root, run } from './processes.mjs';

const BASE = 'localhost/penstock-base:local';
const BASE_TIMEOUT_MS = 5 * 60_000;
const BUILD_TIMEOUT_MS = 12 * 60_000;
const COMMAND_TIMEOUT_MS = 60_000;

/** What a program prints on stdout, without its warnings; empty when it fails. */
function printed(program, args) {
  const { status, stdout } = spawnSync(program, args, { encoding: 'utf8', cwd: root, timeout: COMMAND_TIMEOUT_MS });
  return status === 0 ? stdout.trim() : '';
}

/** Code name of the Debian (or Ubuntu) that runs here and the address it is installed from; undefined on other systems. */
export function debianRelease() {
  const format = ['--format', '$(REPO_URI) $(CODENAME)', 'Identifier: Packages', 'Component: main'];
  const [mirror, codename] = findProgram('apt-get') ? printed('apt-get', ['indextargets', ...format]).split(/\s+/) : [];
  return mirror && codename ? { mirror, codename } : undefined;
}

/** Podman's own defaults are higher than a process without CAP_SYS_RESOURCE may ask for; these are plenty, and no higher than ours. */
function processLimits() {
  const text = readFileSync('/proc/self/limits', 'utf8');
  const atMost = (line, most) => Math.min(most, Number(new RegExp(`^${line} +\\S+ +(\\d+)`, 'm').exec(text)?.[1] ?? most));
  const flag = (name, limit) => ['--ulimit', `${name}=${limit}:${limit}`];
  return [...flag('nofile', atMost('Max open files', 16_384)), ...flag('nproc', atMost('Max processes', 4096))];
}

/** npm in the build reaches the same registry and cache as npm here; the addresses stay out of the repository and out of the image. */
function npmFlags(folder) {
  const setting = (name) => printed('npm', ['config', 'get', name]).replace(/^(null|undefined)$/, '');
  const user = setting('userconfig');
  const own = existsSync(user) ? readFileSync(user, 'utf8') : '';
  const [cache, authority] = [setting('cache'), setting('cafile')];
  mkdirSync(cache, { recursive: true });
  const lines = [own, `registry=${setting('registry')}`, 'cache=/npm/cache', ...(authority ? ['cafile=/npm/authority.crt'] : [])];
  const file = path.join(folder, 'npmrc');
  writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o600 });
  const mounts = [`${cache}:/npm/cache`, ...(authority ? [`${authority}:/npm/authority.crt:ro`] : [])];
  return ['--secret', `id=npmrc,src=${file}`, ...mounts.flatMap((mount) => ['--volume', mount])];
}

export class Podman {
  #folder;
  #runtime = [];
  /** The machine lets Podman limit memory and CPU. */
  setsLimits = true;

  /** `folder`: everything is kept below it; its path is short, for sockets. */
  constructor(folder) {
    this.#folder = folder;
  }

  #args(args) {
    const store = ['--root', path.join(this.#folder, 'store'), '--runroot', path.join(this.#folder, 'run')];
    return [...store, '--cgroup-manager', 'cgroupfs', ...this.#runtime, ...args];
  }

  /** Resolves to `{ code, output }`; `output` has both streams. */
  command(...args) {
    return run('podman', this.#args(args), { capture: true, timeoutMs: COMMAND_TIMEOUT_MS });
  }

  /** What a command prints on stdout, parsed. */
  json(...args) {
    return JSON.parse(printed('podman', this.#args(args)));
  }

  /** Starts a container of `baseContainer` (image-manifest.mjs), with no network but its own loopback. `args` replace the base's. */
  runContainer({ flags, limits, args: own }, more, image, args = own) {
    return this.command(
      'run',
      '--network',
      'none',
      ...processLimits(),
      ...flags,
      ...(this.setsLimits ? limits : []),
      ...more,
      image,
      ...args,
    );
  }

  /** Makes the base: a minimal Debian with the running Node and npm where the official image has them. Throws when that fails. */
  async makeBase({ mirror, codename }) {
    const tree = path.join(this.#folder, 'base');
    const made = await run('debootstrap', ['--variant=minbase', codename, tree, mirror], { capture: true, timeoutMs: BASE_TIMEOUT_MS });
    if (made.code !== 0) throw new Error(`debootstrap failed:\n${made.output.split('\n').slice(-10).join('\n')}`);
    const local = (...parts) => path.join(tree, 'usr', 'local', ...parts);
    mkdirSync(local('lib', 'node_modules'), { recursive: true });
    cpSync(process.execPath, local('bin', 'node'), { dereference: true });
    chmodSync(local('bin', 'node'), 0o755);
    cpSync(path.resolve(realpathSync(findProgram('npm')), '..', '..'), local('lib', 'node_modules', 'npm'), { recursive: true });
    symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', local('bin', 'npm'));
    const archive = `${tree}.tar`;
    const packed = await run('tar', ['-C', tree, '-cf', archive, '.'], { capture: true });
    const imported = packed.code === 0 ? await this.command('import', archive, BASE) : packed;
    if (imported.code !== 0) throw new Error(`the base image could not be made:\n${imported.output}`);
    rmSync(tree, { recursive: true, force: true });
    rmSync(archive);
  }

  /**
   * Chooses a run time that can start this container here, with its limits of memory and CPU if that can be. Resolves to undefined, or to
   * what the last one tried said.
   */
  async whyNoContainerStarts(container) {
    let last = 'neither crun nor runc was found';
    for (const setsLimits of [true, false]) {
      for (const runtime of ['crun', 'runc'].filter(findProgram)) {
        this.#runtime = ['--runtime', runtime];
        this.setsLimits = setsLimits;
        const { code, output } = await this.runContainer(container, ['--rm'], BASE, ['true']);
        if (code === 0) return undefined;
        last = `${runtime}: ${output.trim()}`;
      }
    }
    return last;
  }

  /** Builds Dockerfile.cuda with VARIANT=cpu on the base; prints as it goes. Throws when that fails. */
  async build(image) {
    const bases = ['NODE_IMAGE', 'CUDA_BUILD_IMAGE', 'CUDA_RUNTIME_IMAGE'].flatMap((name) => ['--build-arg', `${name}=${BASE}`]);
    const packages = existsSync('/etc/apt') ? ['--volume', '/etc/apt:/etc/apt:ro'] : [];
    const how = [
      '--isolation',
      'chroot',
      '--network',
      'host',
      '--format',
      'docker',
      '--pull=never',
      ...npmFlags(this.#folder),
      ...packages,
    ];
    const what = ['--file', 'Dockerfile.cuda', '--build-arg', 'VARIANT=cpu', ...bases, '--tag', image, '.'];
    // Podman keeps what `--mount=type=cache` names in the temporary folder.
    const { code } = await run('podman', this.#args(['build', ...how, ...what]), {
      env: { TMPDIR: this.#folder },
      timeoutMs: BUILD_TIMEOUT_MS,
    });
    if (code !== 0) throw new Error(`the image could not be built: podman ended with code ${code}`);
  }

  /** Bytes that an image adds to the base. */
  ownBytes(image) {
    const size = (name) => this.json('image', 'inspect', name)[0].Size;
    return size(image) - size(BASE);
  }

  /** Removes everything below the folder. A build that failed or was killed leaves its layers mounted. */
  async remove() {
    await this.command('rm', '--all', '--force', '--time', '0');
    const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n');
    const below = mounts.map((line) => line.split(' ')[1]).filter((folder) => folder?.startsWith(`${this.#folder}/`));
    for (const folder of below.reverse()) await run('umount', [folder], { capture: true });
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
