/** A container without an image: the command of the image as a process of this machine, with the volumes where the pod wants them. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { repositoryRoot } from '../support/server-process.js';
import { writeFiles, type FileContent } from '../support/model-folder.js';
import { inOwnRoot } from './own-root.js';
import type { PodTemplate, VolumeMount } from './pod-template.js';

/** What Dockerfile.cuda starts. */
export const SERVER_COMMAND: readonly string[] = [process.execPath, join(repositoryRoot, 'dist/main.js')];

/** The kubelet reads no more of it. */
const MAX_MESSAGE_BYTES = 4096;

export interface ContainerEnd {
  /** 128 + the signal's number where a signal ended it, as container runtimes report it. */
  readonly exitCode: number;
  /** What it left in the file of terminationMessagePath. */
  readonly message: string;
}

/** The volumes of one pod: they outlive its containers. */
export class PodVolumes {
  readonly #folder = mkdtempSync(join(tmpdir(), 'penstock-pod-'));
  readonly #template: PodTemplate;

  /** `models` fill the volume `models` before anything starts, as an init container or a claim would. */
  constructor(template: PodTemplate, models: Readonly<Record<string, FileContent>>) {
    this.#template = template;
    mkdirSync(this.root);
    for (const { name, volume } of template.mounts) {
      writeFiles(this.folder(name), volume.kind === 'config' ? volume.files : {});
    }
    writeFiles(this.folder('models'), models);
  }

  /** Where the file system of a container is put together. */
  get root(): string {
    return join(this.#folder, 'root');
  }

  get terminationLog(): string {
    return join(this.#folder, 'termination-log');
  }

  folder(volume: string): string {
    return join(this.#folder, `volume-${volume}`);
  }

  /** For own-root.sh. */
  get mounts(): string[] {
    const source = ({ name, volume }: VolumeMount): string => (volume.kind === 'memory' ? `tmpfs:${volume.bytes}` : this.folder(name));
    return [
      ...this.#template.mounts.flatMap((mount) => [source(mount), mount.path, mount.readOnly ? 'ro' : 'rw']),
      ...[this.terminationLog, this.#template.terminationMessagePath, 'rw'],
    ];
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

export class Container {
  readonly #child: ChildProcess;
  readonly #volumes: PodVolumes;
  readonly startedAtMs = performance.now();
  readonly exited: Promise<ContainerEnd>;

  /** `onLine` gets what it writes. */
  constructor(command: readonly string[], env: Readonly<Record<string, string>>, volumes: PodVolumes, onLine: (line: string) => void) {
    this.#volumes = volumes;
    writeFileSync(volumes.terminationLog, '');
    // Of this process's environment only what a base image has: nothing of a developer's shell configures the server.
    const image = { PATH: process.env['PATH'] ?? '', HOME: '/tmp' };
    const [program, args] = inOwnRoot(volumes.root, volumes.mounts, command);
    this.#child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...image, ...env } });
    let rest = '';
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      const parts = (rest + text).split('\n');
      rest = parts.pop() ?? '';
      parts.forEach(onLine);
    });
    this.exited = once(this.#child, 'close').then(([code, signal]) => this.#end(code as number | null, signal as NodeJS.Signals | null));
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  #end(code: number | null, signal: NodeJS.Signals | null): ContainerEnd {
    const exitCode = code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
    return { exitCode, message: readFileSync(this.#volumes.terminationLog).subarray(0, MAX_MESSAGE_BYTES).toString('utf8') };
  }
}
