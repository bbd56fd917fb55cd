/** Fields of a JSON document that somebody else may have written or cut off: each is checked, and a fault names it. */
import { readFileSync } from 'node:fs';
import { OptionsError } from '../../config/load.js';

const MAX_SHOWN = 40;

export class JsonFields {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #file: string;
  readonly #path: string;

  /** `file` and `path` are only for messages; `path` is empty for the whole document. Throws `OptionsError` for what is no object. */
  constructor(value: unknown, file: string, path = '') {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw fault(file, path, 'an object', value);
    this.#values = value as Record<string, unknown>;
    this.#file = file;
    this.#path = path;
  }

  /** Throws `OptionsError` for a file that cannot be read or is not JSON. */
  static ofFile(file: string): JsonFields {
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch (thrown) {
      throw new OptionsError([`${file}: cannot be read: ${thrown instanceof Error ? thrown.message : String(thrown)}`]);
    }
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      throw new OptionsError([`${file}: is not JSON; expected a file that bench --json has written`]);
    }
    return new JsonFields(value, file);
  }

  text(name: string): string {
    const value = this.#values[name];
    return typeof value === 'string' ? value : this.#refuse(name, 'a text');
  }

  textOrNull(name: string): string | null {
    return this.#values[name] === null ? null : this.text(name);
  }

  choice<T extends string>(name: string, choices: readonly T[]): T {
    return (
      choices.find((choice) => choice === this.#values[name]) ??
      this.#refuse(name, choices.map((choice) => JSON.stringify(choice)).join(' or '))
    );
  }

  flag(name: string): boolean {
    const value = this.#values[name];
    return typeof value === 'boolean' ? value : this.#refuse(name, 'true or false');
  }

  number(name: string): number {
    const value = this.#values[name];
    return typeof value === 'number' ? value : this.#refuse(name, 'a number');
  }

  numberOrNull(name: string): number | null {
    return this.#values[name] === null ? null : this.number(name);
  }

  fields(name: string): JsonFields {
    return new JsonFields(this.#values[name], this.#file, this.#pathOf(name));
  }

  fieldsOrNull(name: string): JsonFields | null {
    return this.#values[name] === null ? null : this.fields(name);
  }

  list(name: string): readonly JsonFields[] {
    return this.#items(this.#values[name], this.#pathOf(name));
  }

  /** A list of lists of objects. */
  lists(name: string): readonly (readonly JsonFields[])[] {
    const value = this.#values[name];
    if (!Array.isArray(value)) return this.#refuse(name, 'a list');
    return value.map((items: unknown, i) => this.#items(items, `${this.#pathOf(name)}[${i}]`));
  }

  texts(name: string): readonly string[] {
    const value: unknown = this.#values[name];
    return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : this.#refuse(name, 'a list of texts');
  }

  /** An object of lists of numbers, such as shapes by name. */
  shapes(name: string): Readonly<Record<string, readonly number[]>> {
    const fields = this.fields(name);
    for (const [key, value] of Object.entries(fields.#values)) {
      if (!Array.isArray(value) || !value.every((item) => typeof item === 'number')) fields.#refuse(key, 'a list of numbers');
    }
    return fields.#values as Record<string, readonly number[]>;
  }

  /** What is there, unchecked. */
  get values(): Readonly<Record<string, unknown>> {
    return this.#values;
  }

  #items(value: unknown, path: string): readonly JsonFields[] {
    if (!Array.isArray(value)) throw fault(this.#file, path, 'a list', value);
    return value.map((item: unknown, i) => new JsonFields(item, this.#file, `${path}[${i}]`));
  }

  #pathOf(name: string): string {
    return this.#path === '' ? name : `${this.#path}.${name}`;
  }

  #refuse(name: string, expected: string): never {
    throw fault(this.#file, this.#pathOf(name), expected, this.#values[name]);
  }
}

function fault(file: string, path: string, expected: string, value: unknown): OptionsError {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  const found = text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}...` : text;
  return new OptionsError([`${file}: ${path === '' ? '' : `${path}: `}expected ${expected}, found ${found}`]);
}
