/**
 * Reads one message of a model configuration out of an untyped tree (parsed pbtxt or JSON). Nothing is thrown: what is wrong is
 * collected with its path, and the fields that nobody asked for are named at the end.
 */
import { shown, type ConfigFault } from './config-fault.js';

export interface ConfigFindings {
  readonly faults: ConfigFault[];
  readonly warnings: string[];
}

export class ConfigReader {
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #path: string;
  readonly #findings: ConfigFindings;
  readonly #known = new Set<string>();

  /** `path` is empty for the whole configuration. */
  constructor(tree: unknown, path: string, findings: ConfigFindings) {
    this.#path = path;
    this.#findings = findings;
    this.#fields = isMessage(tree) ? tree : {};
    if (!isMessage(tree))
      this.#fault(path === '' ? 'the configuration' : path, tree, 'a message with fields', 'write its fields in braces');
  }

  /** Given at all, if only as an empty list. */
  has(name: string): boolean {
    this.#known.add(name);
    return Object.hasOwn(this.#fields, name) && this.#fields[name] !== null;
  }

  /** Empty when absent. */
  text(name: string): string {
    if (!this.has(name)) return '';
    const value = this.#fields[name];
    if (typeof value === 'string') return value;
    this.fault(name, 'one string', `write ${name}: "..." once`);
    return '';
  }

  /** undefined when absent or wrong. 64-bit numbers may be strings, as protobuf's JSON has them. */
  integer(name: string, min: number, max: number): number | undefined {
    return this.has(name) ? this.#integerOf(this.pathOf(name), this.#fields[name], min, max) : undefined;
  }

  /** undefined when absent. A single value is a list of one, because pbtxt repeats the field instead. */
  integers(name: string, min: number, max: number): readonly number[] | undefined {
    if (!this.has(name)) return undefined;
    return this.#items(name).flatMap((item, i) => this.#integerOf(`${this.pathOf(name)}[${i}]`, item, min, max) ?? []);
  }

  /** Numbers that a 32-bit float can hold; undefined when absent, otherwise at least one. A single value is a list of one. */
  floats(name: string): readonly number[] | undefined {
    if (!this.has(name)) return undefined;
    const items = this.#items(name);
    if (items.length === 0) this.fault(name, 'at least one number', `write one, or remove ${name}`);
    const numbers = items.map((item, i) => {
      if (typeof item === 'number' && Number.isFinite(Math.fround(item))) return item;
      this.#fault(`${this.pathOf(name)}[${i}]`, item, 'a number that a 32-bit float can hold', 'write such a number');
      return 0;
    });
    return numbers.length > 0 ? numbers : undefined;
  }

  /** One of `names`, or its position among them as a number; undefined when absent or wrong. */
  choice<T extends string>(name: string, names: readonly T[]): T | undefined {
    if (!this.has(name)) return undefined;
    const value = this.#fields[name];
    const found = typeof value === 'number' ? names[value] : names.find((candidate) => candidate === value);
    if (found === undefined) this.fault(name, `one of ${names.join(', ')}`, 'use one of these names');
    return found;
  }

  /** False when absent or wrong. */
  flag(name: string): boolean {
    if (!this.has(name)) return false;
    const value = this.#fields[name];
    if (typeof value !== 'boolean') this.fault(name, 'true or false', 'write one of the two');
    return value === true;
  }

  message(name: string): ConfigReader | undefined {
    return this.has(name) ? new ConfigReader(this.#fields[name], this.pathOf(name), this.#findings) : undefined;
  }

  /** The message that a text holds as JSON; undefined, with a fault, where there is no such text. */
  json(name: string, fix: string): ConfigReader | undefined {
    const text = this.has(name) ? this.#fields[name] : undefined;
    try {
      if (typeof text === 'string') return new ConfigReader(JSON.parse(text), this.pathOf(name), this.#findings);
    } catch {
      // The fault says what is expected; where the parser stopped helps less.
    }
    this.fault(name, 'a text that is JSON', fix);
    return undefined;
  }

  messages(name: string): readonly ConfigReader[] {
    if (!this.has(name)) return [];
    return this.#items(name).map((item, i) => new ConfigReader(item, `${this.pathOf(name)}[${i}]`, this.#findings));
  }

  /** Messages by key: fields of one message in JSON, a message of `key` and `value` for each in pbtxt. The keys differ. */
  map(name: string): readonly (readonly [key: string, value: ConfigReader])[] {
    return this.#entries(name).map(([key, value]) => [key, new ConfigReader(value ?? {}, this.#pathOfEntry(name, key), this.#findings)]);
  }

  /** Texts by key, in both forms of `map`. */
  textMap(name: string): readonly (readonly [key: string, value: string])[] {
    return this.#entries(name).flatMap(([key, value]) => {
      if (typeof value === 'string') return [[key, value] as const];
      this.#fault(this.#pathOfEntry(name, key), value, 'one string', 'write the value in quotes');
      return [];
    });
  }

  /** Fields that would change results if they were passed over. `false` and an empty list say nothing; an empty message may say much. */
  refuse(name: string, why: string, fix: string): void {
    if (!this.has(name)) return;
    const value = this.#fields[name];
    if (!isOff(value, 0)) this.fault(name, `no ${name} (${why})`, fix);
  }

  /** Fields of Triton that change no result and that nothing here acts on. */
  ignore(...names: readonly string[]): void {
    for (const name of names) {
      if (this.has(name) && !isOff(this.#fields[name])) this.warn(`${this.pathOf(name)} is ignored: this server does not act on it yet`);
    }
  }

  /** The same for one field that has a reason of its own. */
  ignoreBecause(name: string, why: string): void {
    if (this.has(name)) this.warn(`${this.pathOf(name)} is ignored: ${why}`);
  }

  /** Fields that need no action and no warning. */
  accept(...names: readonly string[]): void {
    for (const name of names) this.#known.add(name);
  }

  /** To be called last: warns of every field that was not asked for. */
  finish(): void {
    for (const name of Object.keys(this.#fields)) {
      if (this.#known.has(name)) continue;
      const meant = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      const hint = meant !== name && this.#known.has(meant) ? `; did you mean ${meant}?` : '';
      this.warn(`${shown(this.pathOf(name)).slice(1, -1)} is not a field of a model configuration and is ignored${hint}`);
    }
  }

  /** Instead of `finish`, where passing over a misspelt name would change results. */
  finishStrictly(): void {
    const known = [...this.#known].join(', ');
    for (const name of Object.keys(this.#fields)) {
      if (!this.#known.has(name)) this.faultOf(name, shown(this.#fields[name]), `none but ${known}`, 'correct the name, or remove it');
    }
  }

  fault(name: string, expected: string, fix: string): void {
    this.#fault(this.pathOf(name), this.#fields[name], expected, fix);
  }

  /** Of something within, which is no field of this message itself. */
  faultOf(place: string, found: string, expected: string, fix: string): void {
    this.#findings.faults.push({ field: this.pathOf(place), found, expected, fix });
  }

  /** A fault of the message as a whole. */
  faultOfItself(found: string, expected: string, fix: string): void {
    this.#findings.faults.push({ field: this.#path, found, expected, fix });
  }

  warn(warning: string): void {
    this.#findings.warnings.push(warning);
  }

  pathOf(name: string): string {
    return this.#path === '' ? name : `${this.#path}.${name}`;
  }

  #entries(name: string): readonly (readonly [key: string, value: unknown])[] {
    if (!this.has(name)) return [];
    const entries = this.#items(name).flatMap((item) => (isMessage(item) ? entriesOf(item) : this.#entryFault(name)));
    const seen = new Set<string>();
    return entries.filter(([key]) => {
      if (seen.has(key)) this.fault(name, 'each key once', `remove one of the two entries for ${shown(key)}`);
      return !seen.has(key) && seen.add(key);
    });
  }

  #pathOfEntry(name: string, key: string): string {
    return `${this.pathOf(name)}[${/^\d+$/.test(key) ? key : shown(key)}]`;
  }

  #entryFault(name: string): [] {
    this.fault(name, 'messages of a key and a value', `write ${name} { key: ... value { ... } }`);
    return [];
  }

  #items(name: string): readonly unknown[] {
    const value = this.#fields[name];
    return Array.isArray(value) ? (value as readonly unknown[]) : [value];
  }

  #integerOf(path: string, value: unknown, min: number, max: number): number | undefined {
    const number = typeof value === 'string' && /^-?\d{1,19}$/.test(value) ? Number(value) : value;
    if (typeof number === 'number' && Number.isSafeInteger(number) && number >= min && number <= max) return number;
    this.#fault(path, value, `a whole number from ${min} to ${max}`, 'write a number in this range');
    return undefined;
  }

  #fault(field: string, value: unknown, expected: string, fix: string): void {
    this.#findings.faults.push({ field, found: shown(value), expected, fix });
  }
}

function isMessage(tree: unknown): tree is Readonly<Record<string, unknown>> {
  return typeof tree === 'object' && tree !== null && !Array.isArray(tree);
}

/** JSON has the keys as names of fields; there a field named `key` holds a message, as all do. */
function entriesOf(message: Readonly<Record<string, unknown>>): readonly (readonly [key: string, value: unknown])[] {
  const { key, value } = message;
  return typeof key === 'string' || typeof key === 'number' ? [[String(key), value]] : Object.entries(message);
}

/** Absent, zero, empty, false, or a message of such: what tools print for a field that was never set. */
function isOff(value: unknown, depth = 3): boolean {
  if (value === null || value === '' || value === 0 || value === false) return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === 'object' && depth > 0 && Object.values(value).every((inner) => isOff(inner, depth - 1));
}
