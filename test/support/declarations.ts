/** What src/bridge/addon.ts and its parts declare, to be compared with what the compiled addon has. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from './server-process.js';

const declarations = ['addon.ts', 'addon-gpus.ts', 'simulation.ts']
  .map((file) => readFileSync(join(repositoryRoot, 'src/bridge', file), 'utf8'))
  .join('\n');

function declared(name: string, member: RegExp): string[] {
  const body = new RegExp(`export interface ${name} \\{\\n([\\s\\S]*?)\\n\\}`).exec(declarations)?.[1] ?? '';
  return [...body.matchAll(member)].map((match) => match[1] ?? '');
}

/** Names of the methods of an interface. */
export const declaredMethods = (name: string): string[] => declared(name, /^ {2}(\w+)\(/gm);

/** Names of its fields. */
export const declaredFields = (name: string): string[] => declared(name, /^ {2}readonly (\w+):/gm);
