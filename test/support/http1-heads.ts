/** Heads of HTTP/1.1 requests, from ordinary to hostile, always the same. Texts have a character for each byte. */

const METHODS = ['POST', 'POST', 'POST', 'POST', 'GET', 'GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'];
const ODD_METHODS = ['post', 'BREW', '', 'CONNECT', 'PRI', 'M-SEARCH', '\r\nGET', 'GET\t'];
const TARGETS = [
  '/v2/models/digits/infer',
  '/v2/models/digits/infer?verbose=1',
  '/v2/models/digits/versions/12/infer',
  '/v2/models/a:b@c/infer?a[]=/x?y',
  '/v2/models/versions/infer',
  '/v2/models/digits/versions/1x/infer',
  '/v2/models/dig%69ts/infer',
  '/v2/models//infer',
  '/v2/health/ready',
  '/',
  '/v2//models/..;/infer',
];
const ODD_TARGETS = ['*', 'http://a/v2', 'a:80', '/a b', '/#x', '/\xe9', '/"x"', '/\x00', '', '//', '/\t', '/a|b^c`{}'];
const VERSIONS = ['HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0'];
const ODD_VERSIONS = ['HTTP/0.9', 'HTTP/2.0', 'HTTP/1.2', 'http/1.1', 'HTTP/1.1 ', 'HTTP/11', ''];
const FIELDS = [
  'User-Agent: python-requests/2.31',
  'Accept: */*',
  'Accept-Encoding: identity',
  'Accept-Encoding: br;q=1, *;q=0.5',
  'Accept-Encoding: gzip, deflate',
  'Content-Type: application/octet-stream',
  'Content-Encoding: identity',
  'Content-Encoding: gzip',
  'Inference-Header-Content-Length: 5',
  'inference-header-content-length:   0005 ',
  'Inference-Header-Content-Length: 12345678901234567890',
  'Inference-Header-Content-Length: x',
  'Content-Length: 0',
  'Content-Length: 5',
  'content-length:17  ',
  'Content-Length: 9007199254740991',
  'Transfer-Encoding: chunked',
  'transfer-encoding:Chunked  ',
  'Connection: keep-alive',
  'Connection: close',
  'connection:  Close ',
  'Connection: keep-alive  ',
  'X-Tab: a\tb',
  'Proxy-Connection: close',
  'Expect: 100-continue',
  'X-Empty:',
  'X-Latin: caf\xe9 \xff',
  '__proto__: x',
  "!#$%&'*+-.^_`|~: token",
  'X-Long: ' + 'y'.repeat(3000),
];
const ODD_FIELDS = [
  'Content-Length: 5\t',
  'Transfer-Encoding: chunked\t',
  'Transfer-Encoding:\tchunked',
  'Connection: close\t',
  'Content-Length: 05',
  'Content-Length: +5',
  'Content-Length: 5, 5',
  'Content-Length: 18446744073709551617',
  'Content-Length: 9007199254740993',
  'Content-Length : 5',
  'Transfer-Encoding: chunked, identity',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: identity',
  'Transfer-Encoding: \x0bchunked',
  'Transfer-Encoding : chunked',
  'Connection: upgrade',
  'Connection: keep-alive, close',
  'Connection: close, x',
  'Connection:',
  'Upgrade: websocket',
  'Trailer: x',
  'Expect: 200-ok',
  'Expect:',
  'Host: b',
  ' folded',
  '\tfolded',
  'no colon',
  ': no name',
  'X y: z',
  'X\xe9: z',
  'X: \x00',
  'X: \x7f',
  'X: a\rb',
  'X: a\nb',
  'X-Long: ' + 'y'.repeat(15_000),
];
const ODD_ENDS = ['\n', '\r', '\r\r\n', '\n\r', '\r\n\r\n', ' \r\n'];

/** Congruences modulo a prime (Park and Miller, 1988). */
function numbers(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % limit;
  };
}

export function generatedHeads(count: number): string[] {
  const below = numbers(11);
  const of = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  // Most heads are right: one wrong thing is enough.
  const pick = <T>(common: readonly T[], odd: readonly T[], oddOneIn: number): T => of(below(oddOneIn) === 0 ? odd : common);
  const end = (): string => pick(['\r\n'], ODD_ENDS, 120);
  return Array.from({ length: count }, () => {
    const request = [pick(METHODS, ODD_METHODS, 30), pick(TARGETS, ODD_TARGETS, 20), pick(VERSIONS, ODD_VERSIONS, 30)];
    let head = request.join(pick([' '], ['  ', '\t', ''], 60)) + end();
    const host = below(20) > 0 ? ['Host: localhost:8000'] : [];
    const fields = [...host, ...Array.from({ length: below(6) }, () => pick(FIELDS, ODD_FIELDS, 12))];
    for (const field of fields) head += field + end();
    head += end();
    if (below(25) > 0) return head;
    const at = below(head.length);
    return head.slice(0, at) + String.fromCharCode(below(256)) + head.slice(at + 1);
  });
}

const CODINGS = ['gzip', 'gzip', 'deflate', 'deflate', 'identity', 'GZip', 'DEFLATE', 'br', '*', 'x-gzip', 'gzi', 'gzip deflate', ''];
const QUALITIES = [
  '0',
  '1',
  '0.5',
  '0.51',
  '0.501',
  '0.9',
  '1.0',
  '1.000',
  '0.',
  '1.',
  '.5',
  '1.1',
  '0.5000',
  '-1',
  '',
  'x',
  ' 1',
  '1e0',
  '00',
];
const SPACES = ['', '', '', ' ', '  ', '\t', '\xa0', '\x85'];

/** Requests for inference of clients that accept encodings of all kinds, in one field Accept-Encoding or several. */
export function headsThatAccept(count: number): string[] {
  const below = numbers(12);
  const of = (list: readonly string[]): string => list[below(list.length)] as string;
  const some = (most: number, make: () => string): string[] => Array.from({ length: below(most + 1) }, make);
  const spaced = (text: string): string => of(SPACES) + text + of(SPACES);
  const parameter = (): string =>
    spaced(below(6) > 0 ? of(['q=', 'q=', 'q=', 'Q=', 'q =']) + of(QUALITIES) : of(['level=9', 'q', '', 'qs=1']));
  const entry = (): string => [spaced(of(CODINGS)), ...some(2, parameter)].join(';');
  // The parser refuses tabs around a whole value.
  const value = (): string =>
    some(4, entry)
      .join(',')
      .replace(/^[\t ]+|[\t ]+$/g, '');
  return Array.from({ length: count }, () => {
    const fields = some(2, () => `${of(['Accept-Encoding', 'accept-encoding', 'ACCEPT-Encoding'])}: ${value()}\r\n`);
    return `POST /v2/models/digits/infer HTTP/1.1\r\nHost: a\r\n${fields.join('')}\r\n`;
  });
}
