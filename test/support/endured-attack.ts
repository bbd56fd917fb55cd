/** A server under attack: what that costs it, whether others are served meanwhile, and whether anything stays behind. */
import { onTestFinished } from 'vitest';
import type { Attacker } from './attacker.js';
import { openDescriptors, untilDescriptorsAreBack, useWhile, type Use } from './process-use.js';
import type { ServerProcess } from './server-process.js';
import { SteadyClient } from './steady-client.js';

/** Within which whoever behaves is answered, on a machine that is slow and busy: an attack holds nobody up for long. */
const ANSWERED_WITHIN_MS = 20_000;
/** That the server opens for itself when it first needs them. Every attack has more connections. */
const OWN_DESCRIPTORS = 2;

export interface Endured extends Use {
  /** Of the slowest round of the client that behaves. */
  readonly slowestMs: number;
}

/** `attack` gives back its connections, which are killed then: the server must have no more descriptors than before. */
export async function endure(server: ServerProcess, attack: () => Promise<readonly Attacker[]>): Promise<Endured> {
  const steady = new SteadyClient(server);
  onTestFinished(() => steady.close());
  await steady.round();
  const descriptors = openDescriptors(server);
  let attackers: readonly Attacker[] = [];
  const use = await useWhile(server, () => steady.during(async () => void (attackers = await attack())));
  for (const attacker of attackers) attacker.kill();
  await untilDescriptorsAreBack(server, descriptors + OWN_DESCRIPTORS);
  await steady.round();
  if (steady.slowestMs > ANSWERED_WITHIN_MS) throw new Error(`a client that behaves waited for ${steady.slowestMs} ms`);
  return { ...use, slowestMs: steady.slowestMs };
}
