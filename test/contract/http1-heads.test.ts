/** Whatever the native front end takes for a request, node:http and the JavaScript front end take for the same one. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readInferHeaders } from '../../src/frontend/http/infer-headers.js';
import { findRoute } from '../../src/frontend/http/router.js';
import { generatedHeads, headsThatAccept } from '../support/http1-heads.js';
import { buildVerdicts, verdictsOf, type Verdict, type WholeHead } from '../support/http1-verdicts.js';

const BUILD_TIMEOUT_MS = 10 * 60_000;
const AT_A_TIME = 20;
/** Longer bodies are not sent. */
const MAX_BODY_BYTES = 1000;
const CHUNKS = '3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n';
const CHUNKED_BYTES = 5;
const AFTER = 'GET /after HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

interface Seen {
  readonly method: string;
  readonly target: string;
  readonly version: string;
  readonly fields: readonly string[];
  readonly expectsContinue: boolean;
  readonly keepsAlive: boolean;
  bodyBytes: number;
}

/** Takes what comes from the client with this port. */
const takers = new Map<number, (request: Seen) => void>();
let server: Server;
let heads: readonly string[];
let verdicts: readonly Verdict[];

function answer(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void {
  const one: Seen = {
    method: request.method ?? '',
    target: request.url ?? '',
    version: request.httpVersion,
    fields: request.rawHeaders,
    expectsContinue,
    keepsAlive: response.shouldKeepAlive,
    bodyBytes: 0,
  };
  takers.get(request.socket.remotePort ?? 0)?.(one);
  // An answer that goes out at once would, where it ends the connection, keep the body from being counted.
  request.on('data', (bytes: Buffer) => (one.bodyBytes += bytes.length)).on('end', () => response.end());
}

beforeAll(async () => {
  buildVerdicts();
  heads = generatedHeads(4000);
  verdicts = verdictsOf(heads);
  // As src/frontend/http/listener.ts makes it.
  server = createServer({ maxHeaderSize: 16 * 1024, insecureHTTPParser: false, requireHostHeader: true });
  server.maxHeadersCount = 0;
  server.on('request', (request, response) => answer(request, response, false));
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => answer(request, response, true));
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => answer(request, response, false));
  await once(server.listen(0, '127.0.0.1'), 'listening');
}, BUILD_TIMEOUT_MS);

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const whole = (): [string, WholeHead][] =>
  heads.flatMap((head, index): [string, WholeHead][] => {
    const verdict = verdicts[index];
    return verdict?.kind === 'whole' ? [[head, verdict]] : [];
  });

const isSent = ({ contentLength }: WholeHead): boolean => contentLength <= MAX_BODY_BYTES;

/** What node:http makes of the head, its body and a second request. */
async function requestsOf(head: string, verdict: WholeHead): Promise<Seen[]> {
  const requests: Seen[] = [];
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  await once(socket, 'connect');
  const port = socket.localPort ?? 0;
  takers.set(port, (request) => {
    requests.push(request);
    // Its body does not come.
    if (!isSent(verdict)) socket.destroy();
  });
  const body = verdict.isChunked ? CHUNKS : 'x'.repeat(isSent(verdict) ? Math.max(0, verdict.contentLength) : 0);
  socket.write(head.slice(0, verdict.bytes) + body + (isSent(verdict) ? AFTER : ''), 'latin1');
  await once(socket.resume(), 'close');
  takers.delete(port);
  return requests;
}

describe('what is taken natively', () => {
  it('comes often enough, and so does what is not', () => {
    const count = (wanted: (verdict: Verdict) => boolean): number => verdicts.filter(wanted).length;
    expect(count((verdict) => verdict.kind === 'whole')).toBeGreaterThan(600);
    expect(count((verdict) => verdict.kind === 'refused')).toBeGreaterThan(600);
    expect(count((verdict) => verdict.kind === 'whole' && verdict.infer !== undefined)).toBeGreaterThan(150);
  });

  it('is one request of the same method, target, fields and length for node:http', async () => {
    const waiting = whole();
    const check = async (): Promise<void> => {
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
        const [head, verdict] = next;
        const requests = await requestsOf(head, verdict);
        const [first] = requests;
        expect(first, head).toMatchObject({
          method: verdict.method,
          target: verdict.target,
          version: verdict.isHttp10 ? '1.0' : '1.1',
          fields: verdict.fields,
          ...(isSent(verdict) ? { bodyBytes: verdict.isChunked ? CHUNKED_BYTES : Math.max(0, verdict.contentLength) } : {}),
        });
        if (!verdict.isPlain) continue;
        expect(first, head).toMatchObject({ keepsAlive: verdict.keepsAlive, expectsContinue: verdict.expectsContinue });
        const after = isSent(verdict) && verdict.keepsAlive ? ['/after'] : [];
        expect(
          requests.slice(1).map((request) => request.target),
          head,
        ).toEqual(after);
      }
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, check));
  });

  it('asks JavaScript for the same inference', () => {
    for (const [head, { method, target, fields, contentLength, isChunked, infer }] of whole()) {
      if (infer === undefined) continue;
      expect(findRoute(method, target), head).toEqual({ kind: 'infer', model: infer.model, version: infer.version });
      const { jsonBytes, bodyEncoding, replyEncoding } = infer;
      expect(readInferHeaders(fields), head).toEqual({ jsonBytes, contentLength, chunked: isChunked, bodyEncoding, replyEncoding });
    }
  });

  it('is answered in the encoding that JavaScript chooses', () => {
    const accepting = headsThatAccept(4000);
    const seen = new Map<string, number>();
    for (const [index, verdict] of verdictsOf(accepting).entries()) {
      if (verdict.kind !== 'whole') throw new Error(`${verdict.kind}: ${accepting[index]}`);
      const { replyEncoding } = readInferHeaders(verdict.fields);
      expect(verdict.infer?.replyEncoding, accepting[index]).toBe(replyEncoding);
      seen.set(replyEncoding, (seen.get(replyEncoding) ?? 0) + 1);
    }
    for (const encoding of ['identity', 'gzip', 'deflate']) expect(seen.get(encoding)).toBeGreaterThan(400);
  });
});
