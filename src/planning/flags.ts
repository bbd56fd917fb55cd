/** Flags of the commands that measure. */
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { OptionsError } from '../config/load.js';
import { nearestName } from '../config/nearest-name.js';

type Flags = NonNullable<ParseArgsConfig['options']>;
export type FlagValues<T extends Flags> = ReturnType<typeof parseArgs<{ options: T }>>['values'];

export interface GivenFlags<T extends Flags> {
  readonly values: FlagValues<T>;
  readonly positionals: readonly string[];
}

/** `command`: for messages. Throws `OptionsError` for what is no flag, and for words without one unless `allowPositionals`. */
export function readFlags<T extends Flags>(args: readonly string[], flags: T, command: string, allowPositionals = false): GivenFlags<T> {
  try {
    return parseArgs({ args: [...args], options: flags, allowPositionals });
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    const [, unknown] = /^Unknown option '--([^']*)'/.exec(message) ?? [];
    if (unknown === undefined) throw new OptionsError([message]);
    const nearest = nearestName(unknown, Object.keys(flags));
    throw new OptionsError([
      `--${unknown} is not a flag of ${command}${nearest === undefined ? '; --help lists them' : `; did you mean --${nearest}?`}`,
    ]);
  }
}
