import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { create, Header } from 'tar';
import { describe, expect, it, onTestFinished } from 'vitest';
import { penstock, type CommandResult } from '../support/command.js';
import { certificatePath, ModelHost } from '../support/model-host.js';
import { shippedModels } from '../support/server-process.js';

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-pull-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const checksum = (path: string): string => `sha256:${createHash('sha256').update(readFileSync(path)).digest('hex')}`;

function pullFile(archive: string, folder: string, ...flags: string[]): Promise<CommandResult> {
  return penstock(['pull', pathToFileURL(archive).href, folder, '--checksum', checksum(archive), ...flags]);
}

/** A tar archive of these entries, as raw as somebody with bad intentions would write it. */
function rawArchive(entries: readonly { path: string; type: string; size: number; mode?: number; linkpath?: string }[]): string {
  const path = join(temporaryFolder(), 'models.tar');
  const blocks = entries.map((fields) => {
    const block = Buffer.alloc(512);
    new Header({ mode: 0o644, mtime: new Date(0), ...fields } as ConstructorParameters<typeof Header>[0]).encode(block, 0);
    return block;
  });
  writeFileSync(path, Buffer.concat([...blocks, Buffer.alloc(1024)]));
  return path;
}

function gzipped(from: string, names: readonly string[], name = 'models.tar.gz'): string {
  const file = join(temporaryFolder(), name);
  create({ file, cwd: from, gzip: name.endsWith('gz'), sync: true, portable: true }, [...names]);
  return file;
}

describe('pull of an archive', () => {
  it('unpacks a model repository that check finds without fault, once', async () => {
    const archive = gzipped(shippedModels, ['digits', 'add_sub']);
    const bytes = readFileSync(archive);
    const host = await ModelHost.start((self) => (request, response) => self.send(request, response, bytes));
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'kept.txt'), 'mine');
    const args = ['pull', host.url('/models.tar.gz'), folder, '--checksum', checksum(archive)];
    const env = { NODE_EXTRA_CA_CERTS: certificatePath };
    const { code, stderr } = await penstock(args, env);
    expect(stderr).toContain('"pulled and unpacked"');
    expect(code).toBe(0);
    expect(readdirSync(folder).sort()).toEqual(['.penstock-pull.json', 'add_sub', 'digits', 'kept.txt']);
    expect(readFileSync(join(folder, 'digits/2/model.onnx')).equals(readFileSync(join(shippedModels, 'digits/2/model.onnx')))).toBe(true);
    const again = await penstock(args, env);
    expect(again.code).toBe(0);
    expect(again.stderr).toContain('the archive is unpacked there already');
    expect(host.requests).toHaveLength(1);
    const checked = await penstock(['check', '--model-repository', folder]);
    expect(checked.stdout).toContain('2 of 2 models');
    expect(checked.code).toBe(0);
  });

  it('--as names the folder, and two archives fill one repository', async () => {
    const [one, two] = [gzipped(join(shippedModels, 'digits'), ['2'], 'one.tar'), gzipped(shippedModels, ['add_sub'], 'two.tgz')];
    const folder = temporaryFolder();
    expect((await pullFile(one, folder, '--as', 'seven')).code).toBe(0);
    expect((await pullFile(two, folder)).code).toBe(0);
    expect(existsSync(join(folder, 'seven/2/model.onnx'))).toBe(true);
    expect(existsSync(join(folder, 'add_sub'))).toBe(true);
  });

  it('replaces what another archive put there, whole, and knows that the other one is no longer there', async () => {
    const from = temporaryFolder();
    const write = (name: string, text: string): void => {
      mkdirSync(join(from, 'm/1'), { recursive: true });
      writeFileSync(join(from, 'm/1', name), text);
    };
    write('old.onnx', 'old');
    const older = gzipped(from, ['m']);
    rmSync(join(from, 'm'), { recursive: true });
    write('new.onnx', 'new');
    const newer = gzipped(from, ['m']);
    const folder = temporaryFolder();
    for (const [archive, name] of [
      [older, 'old.onnx'],
      [newer, 'new.onnx'],
      [older, 'old.onnx'],
    ] as const) {
      expect((await pullFile(archive, folder)).code).toBe(0);
      expect(readdirSync(join(folder, 'm/1'))).toEqual([name]);
    }
  });

  it('makes plain files, whatever the archive says of owners and permissions', async () => {
    const folder = temporaryFolder();
    expect((await pullFile(rawArchive([{ path: 'tool', type: 'File', size: 0, mode: 0o6777 }]), folder)).code).toBe(0);
    expect(statSync(join(folder, 'tool')).mode & 0o7111).toBe(0);
  });
});

describe('an archive that is refused leaves nothing behind', () => {
  it.each([
    ['a path that climbs out', { path: '../evil', type: 'File', size: 0 }, 'an entry outside of its folder: "../evil"'],
    ['an absolute path', { path: '/tmp/evil', type: 'File', size: 0 }, 'an entry outside of its folder: "/tmp/evil"'],
    [
      'a symbolic link',
      { path: 'm/1', type: 'SymbolicLink', linkpath: '/etc', size: 0 },
      'neither a file nor a folder: "m/1" (SymbolicLink)',
    ],
    ['a hard link', { path: 'm', type: 'Link', linkpath: '/etc/passwd', size: 0 }, 'neither a file nor a folder: "m" (Link)'],
    ['a device', { path: 'zero', type: 'CharacterDevice', size: 0 }, 'neither a file nor a folder: "zero" (CharacterDevice)'],
    ['a name of ours', { path: '.penstock-pull.json', type: 'File', size: 0 }, 'whose name is reserved'],
    ['more than the disk has', { path: 'huge', type: 'File', size: 2 ** 50 }, 'and the archive unpacks to 1125899906842624 or more'],
    ['a file that is cut off', { path: 'cut', type: 'File', size: 5000 }, 'Truncated input (needed 4096 more bytes'],
    ['no files', { path: 'm/', type: 'Directory', size: 0 }, 'the archive has no files'],
  ] as const)('%s', async (_case, entry, message) => {
    const archive = rawArchive([{ path: 'fine', type: 'File', size: 0 }, entry].slice(entry.type === 'Directory' ? 1 : 0));
    const folder = temporaryFolder();
    const { code, stderr } = await pullFile(archive, folder);
    expect(stderr.replaceAll('\\"', '"')).toContain(message);
    expect(code).toBe(73);
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each(['gnu', 'posix'])('a sparse file, which would be left out or mangled, in the format %s', async (format) => {
    const [from, folder] = [temporaryFolder(), temporaryFolder()];
    mkdirSync(join(from, 'm'));
    writeFileSync(join(from, 'm/model.onnx'), 'begins');
    truncateSync(join(from, 'm/model.onnx'), 4 * 1024 * 1024);
    writeFileSync(join(from, 'm/config.pbtxt'), '');
    const archive = join(temporaryFolder(), 'models.tar');
    expect(spawnSync('tar', ['--sparse', `--format=${format}`, '-C', from, '-cf', archive, 'm']).status).toBe(0);
    const { code, stderr } = await pullFile(archive, folder);
    expect(stderr).toContain('the archive has a sparse file; make it without --sparse');
    expect(code).toBe(73);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('two entries in one place', async () => {
    const folder = temporaryFolder();
    const entry = { path: 'm', type: 'File', size: 0 } as const;
    const { code, stderr } = await pullFile(rawArchive([entry, entry]), folder);
    expect(stderr).toContain('two entries in one place');
    expect(code).toBe(73);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('more than --max-bytes, unpacked', async () => {
    const from = temporaryFolder();
    writeFileSync(join(from, 'zeros'), Buffer.alloc(4 * 1024 * 1024));
    const folder = temporaryFolder();
    const { code, stderr } = await pullFile(gzipped(from, ['zeros']), folder, '--max-bytes', '1MiB');
    expect(stderr).toContain('unpacks to 4194304 bytes or more, and --max-bytes is 1048576');
    expect(code).toBe(73);
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each([
    ['that is no archive at all', Buffer.from('an error page of some proxy')],
    ['that is compressed by zstd', Buffer.concat([Buffer.from('28b52ffd', 'hex'), Buffer.alloc(2000, 'x')])],
  ])('one %s', async (_case, bytes) => {
    const file = join(temporaryFolder(), 'models.tar.gz');
    writeFileSync(file, bytes);
    const folder = temporaryFolder();
    const { code, stderr } = await pullFile(file, folder);
    expect(stderr).toContain('the archive cannot be read');
    expect(code).toBe(73);
    expect(readdirSync(folder)).toEqual([]);
  });
});
