import { describe, expect, it } from 'vitest';
import { parsePbtxt } from '../../../src/models/pbtxt.js';

function parse(text: string): unknown {
  return JSON.parse(
    JSON.stringify(parsePbtxt(text, 'config.pbtxt'), (_key, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value)),
  );
}

describe('a configuration in protobuf text format', () => {
  it.each<[string, string, unknown]>([
    ['nothing', '', {}],
    ['only comments and blanks', ' # a\n\t#b', {}],
    [
      'a string, a number and the name of an enum value',
      'name: "m" max_batch_size: 8 kind: KIND_CPU',
      { name: 'm', max_batch_size: 8, kind: 'KIND_CPU' },
    ],
    ['a message without a colon', 'version_policy { all { } }', { version_policy: { all: {} } }],
    ['a message with a colon', 'version_policy: { all: { } }', { version_policy: { all: {} } }],
    ['angle brackets', 'a < b: 1 >', { a: { b: 1 } }],
    ['a repeated field as a list', 'dims: [ 1, -1 ,3 ]', { dims: [1, -1, 3] }],
    ['an empty list', 'dims: [ ]', { dims: [] }],
    ['a repeated field as repeated keys', 'dims: 1 dims: 2', { dims: [1, 2] }],
    ['lists and keys of the same field', 'dims: [1, 2] dims: 3 dims: [4]', { dims: [1, 2, 3, 4] }],
    [
      'a list of messages, with and without a colon',
      'input [ { name: "a" }, { name: "b" } ] output: [ <name: "c"> ]',
      { input: [{ name: 'a' }, { name: 'b' }], output: [{ name: 'c' }] },
    ],
    ['repeated messages', 'input { name: "a" } input { name: "b" }', { input: [{ name: 'a' }, { name: 'b' }] }],
    ['separators of both kinds', 'a: 1, b: 2; c { d: 3 };', { a: 1, b: 2, c: { d: 3 } }],
    ['map entries', 'parameters { key: "k" value { string_value: "v" } }', { parameters: { key: 'k', value: { string_value: 'v' } } }],
    ['comments between everything', 'a # x\n: # y\n1 # z\nb: "#"', { a: 1, b: '#' }],
    ['no blanks at all', 'a:1b:2', undefined],
    ['both kinds of quotes', `a: "it's" b: 'say "x"'`, { a: "it's", b: 'say "x"' }],
    ['strings that follow one another', `a: "one " 'two'\n  " three"`, { a: 'one two three' }],
    ['escapes', String.raw`a: "\n\t\\\"\'\?\x41\101\u00e9\U0001F600\xc3\xa9"`, { a: '\n\t\\"\'?AA\u00e9\u{1F600}\u00e9' }],
    ['text beyond ASCII', 'a: "größe 😀"', { a: 'größe 😀' }],
    ['booleans', 'a: true b: False c: t', { a: true, b: false, c: true }],
    ['hexadecimal, octal and negative numbers', 'a: 0x1F b: 017 c: - 5 d: -0x10', { a: 31, b: 15, c: -5, d: -16 }],
    ['fractions', 'a: 1.5 b: .5 c: 1e3 d: 2f e: -1.5F g: 1.', { a: 1.5, b: 0.5, c: 1000, d: 2, e: -1.5, g: 1 }],
    [
      'whole numbers beyond 2^53 exactly',
      'a: 9223372036854775807 b: -9223372036854775808',
      { a: '9223372036854775807n', b: '-9223372036854775808n' },
    ],
    ['a field named as something every object has', '__proto__: 1 constructor: 2', JSON.parse('{"__proto__": 1, "constructor": 2}')],
  ])('may hold %s', (_what, text, expected) => {
    if (expected === undefined) expect(() => parse(text)).toThrow('expected a number');
    else expect(parse(text)).toEqual(expected);
  });

  it('may hold infinity and not-a-number', () => {
    expect(parsePbtxt('a: inf b: -inf c: nan d: -Infinity', 'f')).toEqual({ a: Infinity, b: -Infinity, c: NaN, d: -Infinity });
  });

  it.each([
    ['a: ', '1:4: expected a value, found the end of the file'],
    ['a: 1\nb: }', '2:4: expected a value, found "}"'],
    ['a { b: 1', "1:3: this '{' is never closed"],
    ['a < b: 1 }', '1:10: expected a field name, found "}"'],
    ['a: [1, 2', "1:4: this '[' is never closed"],
    ['a: [1 2]', "1:7: expected ',' or ']', found \"2\""],
    ['a: [1,]', '1:7: expected a value, found "]"'],
    ['a: [[1]]', '1:5: expected a value, found "["'],
    ['}', '1:1: expected a field name, found "}"'],
    ['1: 2', '1:1: expected a field name, found "1"'],
    ['a 1', "1:3: expected ':' after 'a'"],
    ['dims [1, 2]', "1:6: expected ':' after 'dims'"],
    ['a: "x', '1:4: this string is never closed on its line'],
    ['a: "x\n"', '1:4: this string is never closed on its line'],
    ['a: "\\q"', "1:5: '\\q' is not a known escape"],
    ['a: "\\400"', '1:5: this escape is larger than a byte'],
    ['a: "\\ud800"', '1:5: this escape is not a Unicode character'],
    ['a: "\\U00110000"', '1:5: this escape is not a Unicode character'],
    ['a: "\\xff"', '1:4: the escapes of this string do not make valid UTF-8'],
    ['a: 12abc', '1:4: expected a number, found "12abc"'],
    ['a: 1.2.3', '1:4: expected a number, found "1.2.3"'],
    ['a: 08', '1:4: expected a number, found "08"'],
    ['a: 0x', '1:4: expected a number, found "0x"'],
    ['a: -', '1:5: expected a number, found the end of the file'],
    ['a: -x', '1:5: expected a number, found "x"'],
    ['[ext.field]: 1', '1:1: extension fields are not supported'],
    ['a: 1 \u0000', '1:6: expected a field name, found "\\u0000"'],
    ['a:: 1', '1:3: expected a value, found ":"'],
    ['a: 1,, b: 2', '1:6: expected a field name, found ","'],
  ])('is refused with its place when it is malformed: %j', (text, message) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'ERR_MODEL_CONFIG', message: `config.pbtxt:${message}` }));
  });

  it('may be nested 100 deep and no deeper', () => {
    const nested = (depth: number): string => `${'a{'.repeat(depth - 1)}${'}'.repeat(depth - 1)}`;
    expect(() => parse(nested(100))).not.toThrow();
    expect(() => parse(nested(101))).toThrow('nested more than 100 deep');
    expect(() => parse('a{'.repeat(400_000))).toThrow('nested more than 100 deep');
    expect(() => parse('a:[{'.repeat(200_000))).toThrow('nested more than 100 deep');
    expect(() => parse(`a:${'['.repeat(500_000)}`)).toThrow('expected a value');
  });

  it('may have 1 MiB and no more', () => {
    expect(() => parse(`#${'x'.repeat(2 ** 20)}`)).toThrow('1:1: expected at most 1048576 bytes');
    const values = `a: [${'1,'.repeat(500_000)}1]`;
    expect((parsePbtxt(values, 'f')['a'] as unknown[]).length).toBe(500_001);
  });
});
