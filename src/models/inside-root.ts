/** Paths of a model repository with links resolved. Links may lead anywhere inside the repository (Kubernetes mounts are made of them), never out of it. */
import { realpath, stat } from 'node:fs/promises';
import { isAbsolute, relative, sep } from 'node:path';
import { ServerError } from '../errors.js';

/** The real path of something under `root`, which is a real path itself. Throws ERR_MODEL_LOAD when it leads out or there is nothing. */
export async function realPathInside(root: string, path: string): Promise<string> {
  const name = relative(root, path);
  let real;
  try {
    real = await realpath(path);
  } catch (thrown) {
    throw new ServerError('ERR_MODEL_LOAD', `${name}: ${reasonOf(thrown)}`, { cause: thrown });
  }
  const inside = relative(root, real);
  if (inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside)) {
    throw new ServerError('ERR_MODEL_LOAD', `${name} is a link that leads out of the model repository; put what it points to inside`);
  }
  return real;
}

/** As `realPathInside`, for a regular file: not a folder, a pipe or a device. */
export async function realFileInside(root: string, path: string): Promise<string> {
  const real = await realPathInside(root, path);
  const stats = await stat(real);
  if (!stats.isFile()) throw new ServerError('ERR_MODEL_LOAD', `${relative(root, path)} is not a regular file`);
  return real;
}

/** In a few words and without the path, which the server's clients need not see. */
export function reasonOf(thrown: unknown): string {
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
  const known: Readonly<Record<string, string>> = {
    ENOENT: 'no such file or folder',
    EACCES: 'permission denied',
    ELOOP: 'too many links',
    ENOTDIR: 'a part of the path is not a folder',
  };
  return known[code] ?? `cannot be read (${code || 'unknown error'})`;
}
