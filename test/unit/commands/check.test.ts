import { expect, it } from 'vitest';
import { check } from '../../../src/commands/check.js';
import { Authority, TlsFolder } from '../../support/certificates.js';

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

it.each([
  ['key', { 'tls.key': new Authority('other').issue('other').key }, 'is not the key of the first certificate'],
  ['certificate', { 'tls.crt': 'nothing' }, 'holds no certificate in PEM form'],
  ['authorities', { 'ca.crt': 'nothing' }, 'holds no certificate in PEM form'],
])('refuses the %s of TLS that the server could not start with, before it loads anything', async (_, wrong, reason) => {
  const authority = new Authority();
  const folder = new TlsFolder(authority.issue('first'), authority.certificate);
  folder.write(wrong);
  const lines: string[] = [];
  const [name = ''] = Object.keys(wrong);
  const checked = check(['--front-end', 'js', ...folder.flags], (line) => lines.push(line));
  await expect(checked).rejects.toThrow(`: "${folder.path}/${name}" ${reason}`);
  await expect(checked).rejects.toThrow(/^--tls-(cert|key|client-ca): /);
  expect(lines).toEqual([]);
  folder.remove();
});
