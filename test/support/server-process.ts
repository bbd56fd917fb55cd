/** A real server in a process of its own, on free ports, for tests and benchmarks. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const repositoryRoot = fileURLToPath(new URL('../..', import.meta.url));
export const fixtureModels = join(repositoryRoot, 'test/fixtures/models');
/** `scaled`, whose configuration has two optional inputs. */
export const optionalModels = join(repositoryRoot, 'test/fixtures/optional_models');
export const badModels = join(repositoryRoot, 'test/fixtures/bad_models');
export const shippedModels = join(repositoryRoot, 'models');

export interface ServerPorts {
  readonly http: number;
  readonly grpc: number;
  readonly management: number;
}

export interface StartOptions {
  /** Model repositories; the shipped models by default. */
  readonly repositories?: readonly string[];
  /** Further flags. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Flags of Node itself. */
  readonly nodeFlags?: readonly string[];
  /** File descriptors that the process may have. */
  readonly maxOpenFiles?: number;
  /** Milliseconds to wait for the ready file. */
  readonly readyWithinMs?: number;
  /** Do not wait for readiness. `ports` is then not usable. */
  readonly waitForReady?: boolean;
}

export class ServerProcess {
  readonly child: ChildProcess;
  /** Log lines so far, as written. */
  readonly lines: string[] = [];
  readonly exited: Promise<number | null>;
  #ports: ServerPorts | undefined;
  readonly #folder: string;

  private constructor(child: ChildProcess, folder: string) {
    this.child = child;
    this.#folder = folder;
    let rest = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      const parts = (rest + text).split('\n');
      rest = parts.pop() ?? '';
      this.lines.push(...parts);
    });
    this.exited = once(child, 'exit').then(([code]) => code as number | null);
    // A test run that ends early leaves no server behind.
    const kill = (): void => void child.kill('SIGKILL');
    process.once('exit', kill);
    child.once('exit', () => process.removeListener('exit', kill));
  }

  static async start(options: StartOptions = {}): Promise<ServerProcess> {
    const folder = mkdtempSync(join(tmpdir(), 'penstock-test-'));
    const readyFile = join(folder, 'ready.json');
    const repositories = (options.repositories ?? [shippedModels]).flatMap((path) => ['--model-repository', path]);
    const ports = ['--host', '127.0.0.1', '--http-port', '0', '--grpc-port', '0', '--metrics-port', '0'];
    const limit = options.maxOpenFiles === undefined ? '' : `ulimit -n ${options.maxOpenFiles} && `;
    const child = spawn(
      'sh',
      [
        '-c',
        `${limit}exec "$0" "$@"`,
        process.execPath,
        ...(options.nodeFlags ?? []),
        join(repositoryRoot, 'dist/main.js'),
        'serve',
        ...ports,
        '--drain-delay-secs',
        '0',
        '--ready-file',
        readyFile,
        ...repositories,
        ...(options.flags ?? []),
      ],
      { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...options.env }, cwd: folder },
    );
    const server = new ServerProcess(child, folder);
    if (options.waitForReady === false) return server;
    const deadline = Date.now() + (options.readyWithinMs ?? 60_000);
    while (!existsSync(readyFile)) {
      if (child.exitCode !== null || Date.now() > deadline) {
        child.kill('SIGKILL');
        throw new Error(`the server did not become ready (exit code ${child.exitCode}):\n${server.lines.join('\n')}`);
      }
      await sleep(20);
    }
    server.#ports = JSON.parse(readFileSync(readyFile, 'utf8')) as ServerPorts;
    return server;
  }

  get ports(): ServerPorts {
    if (this.#ports === undefined) throw new Error('the server was started without waiting for readiness');
    return this.#ports;
  }

  get httpUrl(): string {
    return `http://127.0.0.1:${this.ports.http}`;
  }

  get managementUrl(): string {
    return `http://127.0.0.1:${this.ports.management}`;
  }

  get grpcAddress(): string {
    return `127.0.0.1:${this.ports.grpc}`;
  }

  /** Resident memory in bytes. */
  residentBytes(): number {
    const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.child.pid}/status`, 'utf8'));
    return Number(line?.[1] ?? 0) * 1024;
  }

  /** SIGTERM, then the exit code; SIGKILL after `withinMs`. */
  async stop(withinMs = 20_000): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), withinMs);
    const code = await this.exited;
    clearTimeout(timer);
    rmSync(this.#folder, { recursive: true, force: true });
    return code;
  }
}
