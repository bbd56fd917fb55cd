/** Methods and paths (H12): each of twelve methods on each of twenty paths, and targets that no client should write. */
import { CLOSED, NOTHING, type BadCase } from './bad-case.js';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND', 'QUERY', 'CONNECT', 'BREW'] as const;
type Method = (typeof METHODS)[number];

const NOT_FOUND = /^Not Found$/;
const NOT_ALLOWED = /^Method Not Allowed$/;
const UNKNOWN_MODEL = /^Request for unknown model: /;

interface Path {
  readonly path: string;
  /** What the methods that the route has answer; all others are 405. Absent: the path does not exist. */
  readonly route?: Partial<Record<'read' | 'write' | 'none', { readonly status: number; readonly message: RegExp }>>;
}

const fine = { status: 200, message: NOTHING };
const notOffered = { status: 501, message: /^the .* extension is not offered by this server$/ };
const unknown = { status: 404, message: UNKNOWN_MODEL };

const PATHS: readonly Path[] = [
  { path: '/' },
  { path: '/favicon.ico' },
  { path: '/v1/models/add_sub:predict' },
  { path: '/v2/' },
  { path: '/v2/models' },
  { path: '/v2/models/add_sub/' },
  { path: '/v2/models/add_sub/infer/' },
  { path: '/v2/models/add_sub/versions' },
  { path: '/v2/models/add_sub/versions/one/infer' },
  { path: '/metrics' },
  { path: '/v2/health/live', route: { read: fine } },
  { path: '/v2', route: { read: fine } },
  { path: '/v2/models/add_sub', route: { read: fine } },
  { path: '/v2/models/nobody', route: { read: unknown } },
  { path: '/v2/models/add_sub/infer', route: { write: { status: 400, message: /^JSON at byte 0: found the end/ } } },
  { path: '/v2/models/nobody/infer', route: { write: unknown } },
  { path: '/v2/models/nobody/versions/7/config', route: { read: unknown } },
  { path: '/v2/repository/index', route: { write: notOffered } },
  { path: '/v2/trace/setting', route: { read: notOffered, write: notOffered } },
  { path: '/v2/systemsharedmemory/region/r/register', route: { write: notOffered } },
];

function expected(method: Method, { route }: Path): { readonly status: number; readonly message: RegExp } {
  // node:http ends the connection of a tunnel; what is no method at all it cannot parse.
  if (method === 'CONNECT') return { status: CLOSED, message: NOTHING };
  if (method === 'BREW') return { status: 400, message: /^malformed HTTP request: Invalid method/ };
  const answer = route === undefined ? { status: 404, message: NOT_FOUND } : route[kindOf(method)];
  const { status, message } = answer ?? { status: 405, message: NOT_ALLOWED };
  return { status, message: method === 'HEAD' ? NOTHING : message };
}

function kindOf(method: Method): 'read' | 'write' | 'none' {
  if (method === 'GET' || method === 'HEAD') return 'read';
  return method === 'POST' ? 'write' : 'none';
}

const matrix: readonly BadCase[] = PATHS.flatMap((path) =>
  METHODS.map((method) => ({
    row: 'H12' as const,
    name: `${method} ${path.path}`,
    send: { via: 'http' as const, method, path: path.path },
    ...expected(method, path),
  })),
);

const target = (name: string, path: string, status: number, message: RegExp, method = 'GET'): BadCase => ({
  row: 'H12',
  name,
  send: { via: 'raw', bytes: `${method} ${path} HTTP/1.1\r\nHost: test\r\n\r\n` },
  status,
  message,
});

const MALFORMED = /^malformed HTTP request/;
const targets: readonly BadCase[] = [
  target('two slashes', '//', 404, NOT_FOUND),
  target('two slashes in front', '//v2/models/add_sub', 404, NOT_FOUND),
  target('two slashes within', '/v2//models/add_sub', 404, NOT_FOUND),
  target('a model of no name', '/v2/models//infer', 404, NOT_FOUND, 'POST'),
  target('dots to the parent', '/v2/models/../../etc/passwd', 404, NOT_FOUND),
  target('encoded dots to the parent', '/v2/models/%2e%2e', 404, UNKNOWN_MODEL),
  target('encoded dots and a slash', '/v2/models/%2e%2e%2f%2e%2e%2fetc%2fpasswd', 404, UNKNOWN_MODEL),
  target('encoded dots and a slash, to infer', '/v2/models/%2e%2e%2fadd_sub/infer', 404, UNKNOWN_MODEL, 'POST'),
  target('dots encoded twice', '/v2/models/%252e%252e%252fetc', 404, UNKNOWN_MODEL),
  target('an overlong encoding of a slash', '/v2/models/..%c0%af..%c0%afetc', 400, /not percent-encoded UTF-8$/),
  target('a backslash', '/v2/models/..\\..\\etc', 404, UNKNOWN_MODEL),
  target('an encoded backslash', '/v2/models/..%5c..%5cetc', 404, UNKNOWN_MODEL),
  target('an absolute path as a model', '/v2/models/%2fetc%2fpasswd', 404, UNKNOWN_MODEL),
  target('an encoded NUL', '/v2/models/add_sub%00', 404, UNKNOWN_MODEL),
  target('an encoded NUL in the route', '/v2%00/models/add_sub', 404, NOT_FOUND),
  target('a raw NUL', '/v2/models/add\x00sub', 400, MALFORMED),
  target('an encoded line feed', '/v2/models/add%0d%0aX-Injected:%201', 404, UNKNOWN_MODEL),
  target('an encoded escape sequence', '/v2/models/%1b%5b31mred', 404, UNKNOWN_MODEL),
  target('an encoded space', '/v2/models/%20', 404, UNKNOWN_MODEL),
  target('a percent sign alone', '/v2/models/%', 400, /not percent-encoded UTF-8$/),
  target('a percent sign and no hexadecimal', '/v2/models/%zz', 400, /not percent-encoded UTF-8$/),
  target('half an encoded character', '/v2/models/%e4%b8', 400, /not percent-encoded UTF-8$/),
  target('an encoded byte that is no UTF-8', '/v2/models/%ff', 400, /not percent-encoded UTF-8$/),
  target('an encoded surrogate', '/v2/models/%ed%a0%80', 400, /not percent-encoded UTF-8$/),
  target('raw bytes that are no UTF-8', '/v2/models/\xff\xfe', 400, MALFORMED),
  target('look-alike dots', '/v2/models/%e2%80%a5%2f', 404, UNKNOWN_MODEL),
  target('a shell command', '/v2/models/x;id', 404, UNKNOWN_MODEL),
  target('a substituted shell command', '/v2/models/$(id)', 404, UNKNOWN_MODEL),
  target('a name of Object.prototype', '/v2/models/__proto__', 404, UNKNOWN_MODEL),
  target('a fragment', '/v2/models/add_sub#x', 404, UNKNOWN_MODEL),
  target('a space in the path', '/v2/models/add sub', 400, MALFORMED),
  target('a tab in the path', '/v2/models/add\tsub', 400, MALFORMED),
  target('no path', '', 400, MALFORMED),
  target('a path that does not begin with a slash', 'v2/models/add_sub', 400, MALFORMED),
  target('only a query', '?x=1', 400, MALFORMED),
  target('an asterisk', '*', 404, NOT_FOUND, 'OPTIONS'),
  target('the absolute form of an unknown model', 'http://evil.test/v2/models/nobody', 404, UNKNOWN_MODEL),
  target('the absolute form without a path', 'http://evil.test', 404, NOT_FOUND),
  target('the absolute form of another scheme', 'file:///etc/passwd', 404, NOT_FOUND),
  target('an IPv6 host that is not closed', 'http://[::1/v2/models', 404, NOT_FOUND),
  target('an IPv6 host that is no address', 'http://[zz]/v2/nothing', 404, NOT_FOUND),
  target('a port out of range', 'http://[::1]:99999/v2/nothing', 404, NOT_FOUND),
  target('a user and a password', 'http://a:b@test/v2/nothing', 404, NOT_FOUND),
  target('a path of 64 kB', `/${'a'.repeat(65_536)}`, 431, /^the request headers are larger/),
  target('a model name of 8 kB', `/v2/models/${'a'.repeat(8192)}`, 404, UNKNOWN_MODEL),
  target('a path of 5000 slashes', '/'.repeat(5000), 404, NOT_FOUND),
  target('a model below 5000 slashes', `/v2/models/${'/'.repeat(5000)}`, 404, NOT_FOUND),
  target('a query of 8 kB', `/nothing?${'a=1&'.repeat(2048)}`, 404, NOT_FOUND),
  target('a version of 0', '/v2/models/add_sub/versions/0', 404, /^Request for unknown model: 'add_sub' version 0 is not found/),
  target('a version that does not exist', '/v2/models/add_sub/versions/999', 404, UNKNOWN_MODEL),
  target('a negative version', '/v2/models/add_sub/versions/-1', 404, NOT_FOUND),
  target('a version with a fraction', '/v2/models/add_sub/versions/1.0', 404, NOT_FOUND),
  target('a version in hexadecimal', '/v2/models/add_sub/versions/0x1', 404, NOT_FOUND),
  target('an encoded version', '/v2/models/add_sub/versions/%31', 404, NOT_FOUND),
  target('a version of 2^64', '/v2/models/add_sub/versions/18446744073709551616', 400, /^model_version: found "18446744073709551616"/),
  target('a version of 4000 digits', `/v2/models/add_sub/versions/${'9'.repeat(4000)}`, 400, /^model_version: found "9+/),
  target('a model name in another case', '/v2/models/ADD_SUB', 404, UNKNOWN_MODEL),
  target('a route in another case', '/V2/models/add_sub', 404, NOT_FOUND),
  target('an admin route with a slash at the end', '/v2/repository/models/add_sub/unload/', 404, NOT_FOUND, 'POST'),
  target('an admin route of another case', '/v2/Repository/models/add_sub/unload', 404, NOT_FOUND, 'POST'),
  target('an admin route behind dots', '/v2/models/../repository/models/add_sub/unload', 404, NOT_FOUND, 'POST'),
];

export const httpRouteCases: readonly BadCase[] = [...matrix, ...targets];
