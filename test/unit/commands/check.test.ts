import { expect, it } from 'vitest';
import { check } from '../../../src/commands/check.js';

it('refuses a front end that the server could not start with, before it loads anything', async () => {
  const lines: string[] = [];
  const fault = 'libnghttp2.so.14 is not there';
  const checked = check(
    ['--front-end', 'native'],
    (line) => lines.push(line),
    () => fault,
  );
  await expect(checked).rejects.toThrow(`--front-end: native cannot serve gRPC here: ${fault}`);
  expect(lines).toEqual([]);
});
