/** Processes of this machine in a file system of their own, as a container has it: own-root.sh in a mount namespace. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'vitest';
import { repositoryRoot } from '../support/server-process.js';

const SCRIPT = join(repositoryRoot, 'test/kubernetes/own-root.sh');

/** What to spawn. `root`: an empty folder; `mounts`: as the script has them. The process ends with this one, however this one ends. */
export function inOwnRoot(root: string, mounts: readonly string[], command: readonly string[]): [program: string, args: string[]] {
  // Whoever is not root is root of a user namespace.
  const namespaces = process.getuid?.() === 0 ? ['--mount'] : ['--mount', '--user', '--map-root-user'];
  return ['unshare', [...namespaces, 'setpriv', '--pdeathsig', 'KILL', 'sh', SCRIPT, root, ...mounts, '--', ...command]];
}

/** Containers without CAP_SYS_ADMIN may mount nothing, and some systems keep user namespaces from users. */
function whyNotHere(): string | undefined {
  const root = mkdtempSync(join(tmpdir(), 'penstock-root-'));
  try {
    const { status, stderr, error } = spawnSync(...inOwnRoot(root, [], ['true']), { encoding: 'utf8' });
    return status === 0 ? undefined : `no process can have a file system of its own here: ${error?.message ?? stderr.trim()}`;
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

let why: Readonly<{ not: string | undefined }> | undefined;

/** For `beforeEach` of tests that run containers: the machine's fault, which no installation mends, is said and not held against them. */
export function skipWithoutOwnRoot({ skip }: TestContext): void {
  if (why === undefined) {
    why = { not: whyNotHere() };
    if (why.not !== undefined) console.warn(`tests are skipped: ${why.not}`);
  }
  if (why.not !== undefined) skip(why.not);
}
