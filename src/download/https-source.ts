/** A file behind `https:`. One request each time it is opened, redirects included; nothing is kept between attempts. */
import type { IncomingMessage } from 'node:http';
import { request, type RequestOptions } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { ServerError } from '../errors.js';
import type { ProxyOptions } from '../config/pull-options.js';
import { bareHost, leadsThrough, openTunnel } from './proxy-tunnel.js';
import { retryAfterMs } from './retry.js';
import { refused, reasonOf, shownUri, tryAgain, type OpenedSource, type Resume, type Source } from './source.js';

export interface HttpsSourceOptions {
  /** Sent to the host of the first address only; empty = none. */
  readonly authorization: string;
  readonly proxy: ProxyOptions | null;
}

const MAX_REDIRECTS = 10;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** Other failures are answers: asking again gives the same. */
const PASSING_STATUS = new Set([408, 425, 429, 500, 502, 503, 504]);
/** Certificates that cannot be trusted: waiting does not mend them. Names of OpenSSL's verification results, as Node has them. */
const CERTIFICATE_FAULT = /^(ERR_TLS_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE)/;

export function httpsSource(uri: URL, options: HttpsSourceOptions): Source {
  return async (resume: Resume | null, signal: AbortSignal): Promise<OpenedSource> => {
    let [address, authorization] = [uri, options.authorization];
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      const response = await ask(address, headersFor(resume, authorization), options.proxy, signal);
      const { statusCode = 0, headers } = response;
      if (!REDIRECTS.has(statusCode) || headers.location === undefined) return opened(response, address, resume);
      response.destroy();
      const next = redirected(address, headers.location);
      // Whom the first host sends us to is not whom the user trusted with the secret.
      if (next.origin !== address.origin) authorization = '';
      address = next;
    }
    throw refused(`${shownUri(uri)} redirects more than ${MAX_REDIRECTS} times`);
  };
}

function headersFor(resume: Resume | null, authorization: string): Record<string, string> {
  return {
    accept: '*/*',
    // The checksum is that of the file, not of a compressed form of it.
    'accept-encoding': 'identity',
    'user-agent': 'penstock-pull',
    ...(authorization !== '' && { authorization }),
    ...(resume !== null && { range: `bytes=${resume.offsetBytes}-` }),
    ...(resume !== null && resume.validator !== '' && { 'if-range': resume.validator }),
  };
}

async function ask(
  address: URL,
  headers: Record<string, string>,
  proxy: ProxyOptions | null,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const fault = (thrown: unknown): Error => networkFault(address, thrown);
  let socket: TLSSocket | undefined;
  try {
    if (proxy !== null && leadsThrough(proxy, address)) socket = await openTunnel(proxy, address, signal);
  } catch (thrown) {
    throw fault(thrown);
  }
  return new Promise((resolve, reject) => {
    // Node would name the port in the header Host where no agent says that it is the usual one, and a signed URL has it without.
    const through: RequestOptions = socket === undefined ? { agent: false } : { createConnection: () => socket, defaultPort: 443 };
    const path = `${address.pathname}${address.search}`;
    request({ hostname: bareHost(address), port: address.port === '' ? 443 : address.port, path, headers, signal, ...through }, resolve)
      .on('error', (thrown) => reject(fault(thrown)))
      .end();
  });
}

function redirected(from: URL, location: string): URL {
  const next = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  if (next?.protocol === 'https:') return next;
  throw refused(`${shownUri(from)} redirects to ${next === undefined ? 'no address' : `"${next.protocol}"`}; only https: is followed`);
}

function opened(response: IncomingMessage, address: URL, resume: Resume | null): OpenedSource {
  const { statusCode = 0, headers } = response;
  const body = bytesOf(response, address);
  if (statusCode === 200)
    return { offsetBytes: 0, totalBytes: lengthIn(headers['content-length']), validator: validatorIn(response), body };
  if (statusCode === 206 && resume !== null) {
    const [, start = '', total = ''] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers['content-range'] ?? '') ?? [];
    const validator = validatorIn(response);
    const isSameState = resume.validator === '' || validator === '' || validator === resume.validator;
    if (isSameState && start !== '' && Number(start) === resume.offsetBytes) {
      const totalBytes = total === '*' ? null : Number(total);
      return { offsetBytes: resume.offsetBytes, totalBytes, validator: validator || resume.validator, body };
    }
  }
  response.destroy();
  if (resume !== null && (statusCode === 206 || statusCode === 416)) throw new RangeNotUsable(`${shownUri(address)} answers another range`);
  const message = `${shownUri(address)} answers ${statusCode} ${response.statusMessage ?? ''}`.trimEnd();
  if (!PASSING_STATUS.has(statusCode)) throw refused(message);
  throw tryAgain(message, { retryAfterMs: retryAfterMs(headers['retry-after'], Date.now()) });
}

/** What is there cannot be gone on with: the next attempt begins at 0. */
export class RangeNotUsable extends ServerError {
  constructor(message: string) {
    super('ERR_PULL_SOURCE', message);
  }
}

async function* bytesOf(response: IncomingMessage, address: URL): AsyncIterable<Buffer> {
  try {
    yield* response as AsyncIterable<Buffer>;
  } catch (thrown) {
    throw networkFault(address, thrown);
  }
}

/** If-Range takes a strong ETag or a date (RFC 9110, 13.1.5). */
function validatorIn({ headers }: IncomingMessage): string {
  const { etag = '' } = headers;
  return etag.startsWith('"') ? etag : (headers['last-modified'] ?? '');
}

function lengthIn(text: string | undefined): number | null {
  return text === undefined ? null : Number(text);
}

function networkFault(address: URL, thrown: unknown): Error {
  if (thrown instanceof ServerError) return thrown;
  const message = `${shownUri(address)}: ${reasonOf(thrown)}`;
  const { code = '' } = thrown as NodeJS.ErrnoException;
  return CERTIFICATE_FAULT.test(code) ? refused(message, thrown) : tryAgain(message, { cause: thrown });
}
