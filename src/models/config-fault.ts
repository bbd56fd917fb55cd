/** What is wrong with a model configuration, in the four parts that let a reader repair it without reading the code. */
import { ServerError } from '../errors.js';

export interface ConfigFault {
  /** Path of the field, such as `input[0].dims[1]`. */
  readonly field: string;
  readonly found: string;
  readonly expected: string;
  readonly fix: string;
}

const SHOWN_FAULTS = 20;
const SHOWN_LENGTH = 80;

/** One error for all faults of a configuration; a very long list is cut. `source` names the file. */
export function configError(source: string, faults: readonly ConfigFault[]): ServerError {
  const texts = faults.slice(0, SHOWN_FAULTS).map((fault) => {
    return `${fault.field}: found ${fault.found}, expected ${fault.expected}; fix: ${fault.fix}`;
  });
  if (faults.length > SHOWN_FAULTS) texts.push(`and ${faults.length - SHOWN_FAULTS} more faults`);
  return new ServerError('ERR_MODEL_CONFIG', `${source}: ${texts.join(' | ')}`);
}

/** A value for a message: quoted, on one line, cut when long. Nested values are not walked, because they may be nested very deeply. */
export function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'a message';
  const text = typeof value === 'bigint' || typeof value === 'number' ? value.toString() : JSON.stringify(value);
  return text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH)}...` : text;
}

/** Dimensions as config.pbtxt has them. */
export function shownDims(dims: readonly number[]): string {
  return `[${dims.join(', ')}]`;
}

export function shownNames(names: readonly string[]): string {
  const text = names.slice(0, SHOWN_FAULTS).map(shown).join(', ');
  return names.length > SHOWN_FAULTS ? `${text}, ...` : text || 'none';
}
