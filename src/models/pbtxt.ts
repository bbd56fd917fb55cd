/**
 * Reader of the protobuf text format, as config.pbtxt files use it. It knows no schema: which fields exist, and which of them repeat,
 * is for the caller to say. A field given once is its value; a field given several times, or as `[a, b]`, is an array.
 */
import { ServerError } from '../errors.js';

export type PbtxtValue = string | number | bigint | boolean | PbtxtMessage;

/** Has no prototype, so that a field may have any name. */
export interface PbtxtMessage {
  [field: string]: PbtxtValue | PbtxtValue[];
}

export const MAX_CONFIG_BYTES = 1 << 20;
const MAX_DEPTH = 100;

const CLOSING: Readonly<Record<string, string>> = { '{': '}', '<': '>' };
const BLANK = /(?:[ \t\r\n\f\v]|#[^\n]*)*/y;
const WORD = /[A-Za-z_][A-Za-z0-9_]*/y;
const NUMBER = /0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[fF]?/y;
const WORDS_WITH_VALUE: Readonly<Record<string, boolean>> = { true: true, True: true, t: true, false: false, False: false, f: false };
const ESCAPES: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, a: 7, b: 8, f: 12, v: 11, '\\': 92, "'": 39, '"': 34, '?': 63 };
const NUMBERED_ESCAPE = /([0-7]{1,3})|[xX]([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})/y;

/**
 * Words that are not true or false come as strings (names of enum values); integers beyond 2^53 as bigint.
 * Throws ERR_MODEL_CONFIG with `source:line:column` for anything that is not well formed, nested deeper than 100, or longer than 1 MiB.
 */
export function parsePbtxt(text: string, source: string): PbtxtMessage {
  return new Parser(text, source).parse();
}

class Parser {
  readonly #text: string;
  readonly #source: string;
  #at = 0;

  constructor(text: string, source: string) {
    this.#text = text;
    this.#source = source;
  }

  parse(): PbtxtMessage {
    if (Buffer.byteLength(this.#text) > MAX_CONFIG_BYTES) this.#fail(0, `expected at most ${MAX_CONFIG_BYTES} bytes`);
    return this.#fields('', 0, 1);
  }

  /** Reads up to the bracket `closing`, which is at the end of the file when it is empty. */
  #fields(closing: string, openedAt: number, depth: number): PbtxtMessage {
    if (depth > MAX_DEPTH) this.#fail(openedAt, `messages are nested more than ${MAX_DEPTH} deep`);
    const message = Object.create(null) as PbtxtMessage;
    for (;;) {
      const next = this.#peek();
      if (next === closing) {
        this.#at += closing.length;
        return message;
      }
      if (next === '') this.#fail(openedAt, `this '${this.#text[openedAt]}' is never closed`);
      this.#field(message, depth);
      if (this.#peek() === ',' || this.#peek() === ';') this.#at += 1;
    }
  }

  #field(message: PbtxtMessage, depth: number): void {
    if (this.#peek() === '[') this.#fail(this.#at, 'extension fields are not supported');
    const name = this.#match(WORD) ?? this.#fail(this.#at, `expected a field name, found ${this.#found()}`);
    const colon = this.#peek() === ':';
    if (colon) this.#at += 1;
    const next = this.#peek();
    const valueAt = this.#at;
    const value = next === '[' ? this.#list(depth) : this.#value(depth);
    const onlyMessages = Array.isArray(value) ? value.every((item) => typeof item === 'object') : typeof value === 'object';
    if (!colon && !onlyMessages) this.#fail(valueAt, `expected ':' after '${name}'`);

    const earlier = message[name];
    if (earlier === undefined) {
      message[name] = value;
    } else {
      const values = Array.isArray(earlier) ? earlier : [earlier];
      for (const item of Array.isArray(value) ? value : [value]) values.push(item);
      message[name] = values;
    }
  }

  #list(depth: number): PbtxtValue[] {
    const openedAt = this.#at;
    this.#at += 1;
    const values: PbtxtValue[] = [];
    if (this.#peek() === ']') {
      this.#at += 1;
      return values;
    }
    for (;;) {
      values.push(this.#value(depth));
      const next = this.#peek();
      if (next !== ',' && next !== ']') {
        if (next === '') this.#fail(openedAt, "this '[' is never closed");
        this.#fail(this.#at, `expected ',' or ']', found ${this.#found()}`);
      }
      this.#at += 1;
      if (next === ']') return values;
    }
  }

  #value(depth: number): PbtxtValue {
    const next = this.#peek();
    const closing = CLOSING[next];
    if (closing !== undefined) {
      this.#at += 1;
      return this.#fields(closing, this.#at - 1, depth + 1);
    }
    if (next === '"' || next === "'") return this.#strings();
    if (next === '-') {
      this.#at += 1;
      this.#peek();
      const value = this.#number();
      return typeof value === 'bigint' ? -value : value === 0 ? 0 : -value;
    }
    if (/[0-9.]/.test(next)) return this.#number();
    const word = this.#match(WORD) ?? this.#fail(this.#at, `expected a value, found ${this.#found()}`);
    return WORDS_WITH_VALUE[word] ?? numberOfWord(word) ?? word;
  }

  #number(): number | bigint {
    const start = this.#at;
    const named = numberOfWord(this.#match(WORD) ?? '');
    if (named !== undefined) return named;
    this.#at = start;
    const literal = this.#match(NUMBER);
    if (literal === undefined || /[A-Za-z0-9_.]/.test(this.#text[this.#at] ?? '') || /^0\d*[89]\d*$/.test(literal)) {
      this.#fail(start, `expected a number, found ${this.#found(start)}`);
    }
    if (/^0[xX]/.test(literal) || /^\d+$/.test(literal)) {
      const integer = BigInt(/^0\d/.test(literal) ? `0o${literal.slice(1)}` : literal);
      return integer <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(integer) : integer;
    }
    return Number(literal.replace(/[fF]$/, ''));
  }

  /** Strings that follow one another are one. */
  #strings(): string {
    const start = this.#at;
    const bytes: Buffer[] = [];
    for (let quote = this.#peek(); quote === '"' || quote === "'"; quote = this.#peek()) this.#string(quote, bytes);
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(bytes));
    } catch {
      return this.#fail(start, 'the escapes of this string do not make valid UTF-8');
    }
  }

  #string(quote: string, bytes: Buffer[]): void {
    const start = this.#at;
    const plain = quote === '"' ? /[^"\\\n]*/y : /[^'\\\n]*/y;
    this.#at += 1;
    for (;;) {
      plain.lastIndex = this.#at;
      const run = plain.exec(this.#text)?.[0] ?? '';
      bytes.push(Buffer.from(run));
      this.#at += run.length;
      const stop = this.#text[this.#at];
      if (stop !== quote && stop !== '\\') this.#fail(start, 'this string is never closed on its line');
      this.#at += 1;
      if (stop === quote) return;
      bytes.push(this.#escape());
    }
  }

  #escape(): Buffer {
    const start = this.#at - 1;
    const single = ESCAPES[this.#text[this.#at] ?? ''];
    if (single !== undefined) {
      this.#at += 1;
      return Buffer.from([single]);
    }
    const [code, octal, hex, short, long] = this.#exec(NUMBERED_ESCAPE) ?? [];
    if (code === undefined) this.#fail(start, `'\\${this.#text[this.#at] ?? ''}' is not a known escape`);
    const point = Number.parseInt(octal ?? hex ?? short ?? long ?? '', octal === undefined ? 16 : 8);
    if (octal !== undefined || hex !== undefined) {
      if (point > 255) this.#fail(start, 'this escape is larger than a byte');
      return Buffer.from([point]);
    }
    if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) this.#fail(start, 'this escape is not a Unicode character');
    return Buffer.from(String.fromCodePoint(point));
  }

  /** Skips blanks and comments; the character after them, empty at the end. */
  #peek(): string {
    this.#exec(BLANK);
    return this.#text[this.#at] ?? '';
  }

  #match(pattern: RegExp): string | undefined {
    return this.#exec(pattern)?.[0];
  }

  #exec(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    this.#at += found?.[0].length ?? 0;
    return found;
  }

  #found(at = this.#at): string {
    const token = /[A-Za-z0-9_.+-]+|[^]/y;
    token.lastIndex = at;
    const text = token.exec(this.#text)?.[0];
    return text === undefined ? 'the end of the file' : JSON.stringify(text.slice(0, 40));
  }

  #fail(at: number, message: string): never {
    const before = this.#text.slice(0, at);
    const line = before.split('\n').length;
    const column = at - before.lastIndexOf('\n');
    throw new ServerError('ERR_MODEL_CONFIG', `${this.#source}:${line}:${column}: ${message}`);
  }
}

function numberOfWord(word: string): number | undefined {
  if (/^(?:inf|infinity)f?$/i.test(word)) return Infinity;
  return /^nan$/i.test(word) ? NaN : undefined;
}
