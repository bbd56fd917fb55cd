import { describe, expect, it } from 'vitest';
import { OptionsError } from '../../../src/config/load.js';
import { loadPullOptions, pullHelp } from '../../../src/config/pull-options.js';
import { leadsThrough } from '../../../src/download/proxy-tunnel.js';

const HEX = 'ab'.repeat(32);
const URI = 'https://host/models/model.onnx';

function load(args: readonly string[], environment: Record<string, string> = {}) {
  return loadPullOptions(args, environment);
}

function faults(args: readonly string[], environment: Record<string, string> = {}): string {
  try {
    load(args, environment);
  } catch (thrown) {
    if (thrown instanceof OptionsError) return thrown.faults.join('\n');
    throw thrown;
  }
  return '';
}

describe('the arguments of pull', () => {
  it('are a URI and a folder, with flags anywhere', () => {
    expect(load(['--attempts', '3', URI, '--max-bytes=2GiB', '/models', '--checksum', `sha256:${HEX.toUpperCase()}`])).toEqual({
      source: new URL(URI),
      directory: '/models',
      target: 'model.onnx',
      isArchive: false,
      sha256: HEX,
      maxBytes: 2 * 1024 ** 3,
      attempts: 3,
      stallTimeoutMs: 30_000,
      authorization: '',
      proxy: null,
    });
  });

  it.each([
    [[], /usage: penstock pull URI DIR/],
    [[URI], /usage: penstock pull URI DIR/],
    [[URI, 'a', 'b', '--no-checksum'], /usage: penstock pull URI DIR/],
    [[URI, 'a'], /^--checksum sha256:HEX is needed; whoever trusts the source without one says --no-checksum$/],
    [[URI, 'a', '--no-checksum', '--checksum', `sha256:${HEX}`], /exclude each other/],
    [[URI, 'a', '--checksum', HEX], /is not sha256: with 64 hexadecimal digits/],
    [[URI, 'a', '--checksum', 'md5:1234'], /is not sha256: with 64 hexadecimal digits/],
    [[URI, 'a', '--no-checksum', '--attempts', '0'], /^--attempts: "0" is not a whole number from 1/],
    [[URI, 'a', '--no-checksum', '--attempts'], /^--attempts needs a value$/],
    [[URI, 'a', '--no-chekcsum', '--no-checksum'], /did you mean --no-checksum\?/],
    [['model.onnx', 'a', '--no-checksum'], /not a URI/],
    [['http://host/a.onnx', 'a', '--no-checksum'], /"http:" cannot be pulled, because anybody on the way/],
    [['s3://bucket/a.onnx', 'a', '--no-checksum'], /"s3:" cannot be pulled; there are https: and file:/],
    [['file://server/a.onnx', 'a', '--no-checksum'], /three slashes/],
    [['https://host/', 'a', '--no-checksum'], /does not end in a name; say what the file is called by --as PATH/],
    [['https://host/a%2F..%2Fb', 'a', '--no-checksum'], /does not end in a name/],
    [['https://host/models.zip', 'a', '--no-checksum'], /kind that is not unpacked; there are .tar and .tar.gz/],
    [[URI, 'a', '--no-checksum', '--as', '../up'], /not the path of a file below DIR/],
    [[URI, 'a', '--no-checksum', '--as', 'a/../../up'], /not the path of a file below DIR/],
    [[URI, 'a', '--no-checksum', '--as', '/etc/passwd'], /not the path of a file below DIR/],
    [[URI, 'a', '--no-checksum', '--as', 'folder/'], /not the path of a file below DIR/],
  ])('%j are refused', (args, message) => {
    expect(faults(args)).toMatch(message);
  });

  it('repeat no password', () => {
    expect(faults(['https://me:word@host/a.onnx', 'a', '--no-checksum'])).toMatch(/PENSTOCK_PULL_AUTHORIZATION/);
    expect(faults(['https://me:word@host/a.onnx', 'a', '--no-checksum'])).not.toContain('word@');
    expect(faults([URI, 'a', '--no-checksum'], { PENSTOCK_PULL_AUTHORIZATION: 'Bearer x\nHost: y' })).not.toContain('Bearer');
  });

  it('all stand in the help', () => {
    for (const flag of ['checksum sha256:HEX', 'no-checksum', 'as PATH', 'max-bytes BYTES', 'attempts N', 'stall-timeout-secs SECONDS']) {
      expect(pullHelp()).toContain(`--${flag}`);
    }
  });
});

describe('where a pull puts things', () => {
  it.each([
    ['https://host/a/my%20model.onnx?token=x#y', [], 'my model.onnx', false],
    ['https://host/download', ['--as', 'digits/1/model.onnx'], 'digits/1/model.onnx', false],
    ['https://host/models.tar.gz?token=x', [], '.', true],
    ['file:///claims/models.TGZ', ['--as', 'digits'], 'digits', true],
    ['https://host/models.tar', [], '.', true],
  ])('%s %j', (uri, flags, target, isArchive) => {
    expect(load([uri, 'a', '--no-checksum', ...flags])).toMatchObject({ target, isArchive });
  });
});

describe('the proxy of a pull', () => {
  const proxyOf = (environment: Record<string, string>, uri = URI): string | null => {
    const { proxy, source } = load([uri, 'a', '--no-checksum'], environment);
    return proxy !== null && leadsThrough(proxy, source) ? proxy.address.href : null;
  };

  it.each([
    [{ HTTPS_PROXY: 'http://proxy:3128' }, 'http://proxy:3128/'],
    [{ https_proxy: 'proxy:3128' }, 'http://proxy:3128/'],
    [{ HTTPS_PROXY: 'http://proxy:3128', NO_PROXY: 'other, .cluster.local' }, 'http://proxy:3128/'],
    [{ HTTPS_PROXY: 'http://proxy:3128', NO_PROXY: 'other,host' }, null],
    [{ HTTPS_PROXY: 'http://proxy:3128', no_proxy: '*' }, null],
    [{}, null],
  ])('is taken from %j', (environment, proxy) => {
    expect(proxyOf(environment)).toBe(proxy);
  });

  it('is passed over for the names below one in NO_PROXY, and not for names that only end alike', () => {
    const environment = { HTTPS_PROXY: 'http://proxy:3128', NO_PROXY: 'example.org' };
    expect(proxyOf(environment, 'https://a.example.org/m.onnx')).toBeNull();
    expect(proxyOf(environment, 'https://bad-example.org/m.onnx')).toBe('http://proxy:3128/');
  });

  it('is passed over for an address of IPv6 in NO_PROXY, which has no brackets there', () => {
    expect(proxyOf({ HTTPS_PROXY: 'http://proxy:3128', NO_PROXY: 'fd00::1' }, 'https://[fd00::1]/m.onnx')).toBeNull();
  });

  it('is told a user and a password that are escaped in its address', () => {
    const { proxy } = load([URI, 'a', '--no-checksum'], { HTTPS_PROXY: 'http://me:50%25%20@proxy' });
    expect(proxy).toMatchObject({ user: 'me', password: '50% ' });
  });

  it('is refused, without its password in the message, when a "%" in it is not escaped', () => {
    expect(faults([URI, 'a', '--no-checksum'], { HTTPS_PROXY: 'http://me:50%@proxy' })).toBe(
      'HTTPS_PROXY: expected http://HOST:PORT or http://USER:PASSWORD@HOST:PORT, with "%25" for a "%"',
    );
  });

  it('is never asked for a file, and must be one that we can speak to', () => {
    expect(proxyOf({ HTTPS_PROXY: 'http://proxy:3128' }, 'file:///m.onnx')).toBeNull();
    expect(faults([URI, 'a', '--no-checksum'], { HTTPS_PROXY: 'socks5://proxy' })).toMatch(/^HTTPS_PROXY: expected/);
  });
});
