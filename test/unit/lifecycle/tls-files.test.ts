import { unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { TlsMaterial } from '../../../src/bridge/front-end.js';
import { loadOptions, OptionsError } from '../../../src/config/load.js';
import { ServerError } from '../../../src/errors.js';
import { TlsFiles } from '../../../src/lifecycle/tls-files.js';
import { Authority, TlsFolder } from '../../support/certificates.js';

const authority = new Authority();
const first = authority.issue('first');
const second = authority.issue('second', 3_600_000);

let folder: TlsFolder;
let lines: { readonly msg: string; readonly level: number; readonly reason?: string }[];
let used: TlsMaterial[];

const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line) as (typeof lines)[number]) });
const reasons = (): (string | undefined)[] => lines.map(({ reason }) => reason);

/** With options as the flags say. */
async function open(flags = folder.flags): Promise<TlsFiles> {
  const files = await TlsFiles.open(loadOptions(flags, {}).options, log);
  if (files === undefined) throw new Error('no TLS');
  files.watch((material) => used.push(material));
  return files;
}

beforeEach(() => {
  folder = new TlsFolder(first);
  [lines, used] = [[], []];
});

afterEach(() => folder.remove());

describe('the files of TLS', () => {
  it('are not looked at without the option', async () => {
    expect(await TlsFiles.open(loadOptions([], {}).options, log)).toBeUndefined();
  });

  it('are what the front end gets, with the end of the certificate', async () => {
    const files = await open();
    expect(files.material).toEqual({ ...first, clientCa: '' });
    expect(files.expiresAtMs - Date.now()).toBeGreaterThan(23 * 3_600_000);
    expect(files.expiresAtMs - Date.now()).toBeLessThanOrEqual(24 * 3_600_000);
    expect([files.fault, lines]).toEqual([undefined, []]);
    files.stop();
  });

  it("may hold a chain, whose first certificate is the server's, and several authorities", async () => {
    const chain = first.cert + authority.certificate;
    folder = new TlsFolder({ ...first, cert: chain }, authority.certificate + new Authority('other').certificate);
    const files = await open();
    expect(files.material.cert).toBe(chain);
    files.stop();
  });

  it.each([
    ['--tls-cert: ".*tls.crt" holds no certificate in PEM form', { 'tls.crt': 'nothing' }],
    ['--tls-cert: ".*tls.crt" holds a certificate that cannot be read: ', { 'tls.crt': first.cert.replace(/\n.{64}/, '\nAAAA') }],
    ['--tls-key: ".*tls.key" holds no private key in PEM form, without a passphrase: ', { 'tls.key': first.cert }],
    ['--tls-key: ".*tls.key" is not the key of the first certificate in ".*tls.crt"', { 'tls.key': second.key }],
    ['--tls-client-ca: ".*ca.crt" holds no certificate in PEM form', { 'ca.crt': '' }],
    ['--tls-cert: ".*tls.crt" holds a certificate that cannot be read: ', { 'tls.crt': first.cert + authority.certificate.slice(0, -30) }],
    [
      '--tls-client-ca: ".*ca.crt" holds a certificate that cannot be read: ',
      { 'ca.crt': authority.certificate + first.cert.slice(0, 99) },
    ],
  ])('end the start with %s', async (message, wrong) => {
    folder = new TlsFolder(first, authority.certificate);
    folder.write(wrong);
    const opened = open();
    await expect(opened).rejects.toBeInstanceOf(OptionsError);
    await expect(opened).rejects.toThrow(new RegExp(`^${message}`));
  });

  it('end the start with the option and the name of one that is not there', async () => {
    unlinkSync(join(folder.path, 'tls.key'));
    await expect(open()).rejects.toThrow(/^--tls-key: ".*tls.key" cannot be read: ENOENT/);
  });

  it.each([
    ['has expired', -1000, 'expired on '],
    ['is not valid yet', 86_400_000 * 2, 'is not valid before '],
  ])('are served although the certificate %s, with a warning that names it', async (_, validForMs, reason) => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const identity = authority.issue('odd', validForMs);
    if (validForMs > 0) vi.setSystemTime(Date.now() - 86_400_000);
    folder = new TlsFolder(identity);
    const files = await open();
    expect(lines).toMatchObject([{ level: 40, msg: 'TLS: the certificate is not valid now', reason: files.fault }]);
    expect(files.fault).toContain(`--tls-cert: clients refuse "${folder.path}/tls.crt", which ${reason}`);
    files.stop();
    vi.useRealTimers();
  });
});

describe('new files', () => {
  it('are used once, and only when something has changed', async () => {
    const files = await open();
    await files.look();
    folder.write({ 'tls.crt': second.cert, 'tls.key': second.key });
    await files.look();
    await files.look();
    expect(used).toEqual([{ ...second, clientCa: '' }]);
    expect(files.material).toEqual(used[0]);
    expect(files.expiresAtMs - Date.now()).toBeLessThanOrEqual(3_600_000);
    expect(lines).toHaveLength(1);
    files.stop();
  });

  it('that do not fit are said once, and what was there stays until they do', async () => {
    const files = await open();
    folder.write({ 'tls.crt': second.cert });
    await files.look();
    await files.look();
    expect(used).toEqual([]);
    expect(files.material.cert).toBe(first.cert);
    expect(reasons()).toEqual([expect.stringContaining('is not the key of the first certificate')]);
    folder.write({ 'tls.key': second.key });
    await files.look();
    expect(used).toEqual([{ ...second, clientCa: '' }]);
    files.stop();
  });

  it('that are gone are said once, and what was there stays', async () => {
    const files = await open();
    unlinkSync(join(folder.path, 'tls.crt'));
    await files.look();
    await files.look();
    expect(reasons()).toEqual([expect.stringContaining('cannot be read: ENOENT')]);
    expect(files.material.cert).toBe(first.cert);
    files.stop();
  });

  it('are tried again where it was not they that failed', async () => {
    const files = await open();
    files.stop();
    let fails = true;
    files.watch((material) => {
      if (fails) throw new ServerError('ERR_MEMORY', 'no memory for a context');
      used.push(material);
    });
    folder.write({ 'tls.crt': second.cert, 'tls.key': second.key });
    await files.look();
    fails = false;
    await files.look();
    expect(reasons().slice(0, 1)).toEqual(['no memory for a context']);
    expect(used).toEqual([{ ...second, clientCa: '' }]);
    files.stop();
  });

  it('are not looked at twice at one time', async () => {
    const files = await open();
    folder.write({ 'tls.crt': second.cert, 'tls.key': second.key });
    await Promise.all([files.look(), files.look()]);
    expect(used).toHaveLength(1);
    files.stop();
  });

  it('that the front end refuses leave what was there', async () => {
    const files = await open();
    files.stop();
    files.watch(() => {
      throw new Error('too short a key');
    });
    folder.write({ 'tls.crt': second.cert, 'tls.key': second.key });
    await files.look();
    expect(reasons()).toEqual(['too short a key']);
    expect(files.material.cert).toBe(first.cert);
    files.stop();
  });
});
