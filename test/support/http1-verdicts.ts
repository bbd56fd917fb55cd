/** What the native front end makes of HTTP/1.1 heads, from test/support/http1_verdicts.cc. Texts have a character for each byte. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { repositoryRoot } from './server-process.js';

export interface WholeHead {
  readonly kind: 'whole';
  readonly bytes: number;
  readonly method: string;
  readonly isHttp10: boolean;
  /** -1 = none. */
  readonly contentLength: number;
  readonly isChunked: boolean;
  readonly keepsAlive: boolean;
  readonly expectsContinue: boolean;
  readonly isPlain: boolean;
  readonly target: string;
  /** Of a request that is answered natively. */
  readonly infer:
    | {
        readonly model: string;
        readonly version: string;
        readonly jsonBytes: number;
        readonly bodyEncoding: string;
        readonly replyEncoding: string;
      }
    | undefined;
  /** Names and values alternating. */
  readonly fields: readonly string[];
}

export type Verdict = WholeHead | { readonly kind: 'part' | 'refused' };

/** To be called first, in a `beforeAll` with time for a compiler. */
export function buildVerdicts(): void {
  const { status, stderr } = spawnSync(process.execPath, [join(repositoryRoot, 'scripts/http1-verdicts.mjs')], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`http1_verdicts cannot be built:\n${stderr}`);
}

export function verdictsOf(heads: readonly string[]): Verdict[] {
  const input = heads.map((head) => `${Buffer.from(head, 'latin1').toString('hex')}\n`).join('');
  const program = join(repositoryRoot, 'build/native-cmake/http1_verdicts');
  const { status, stdout } = spawnSync(program, [], { input, encoding: 'latin1', maxBuffer: 1 << 28 });
  if (status !== 0) throw new Error(`http1_verdicts ended with ${status}`);
  return stdout.trimEnd().split('\n').map(parse);
}

function parse(line: string): Verdict {
  const [kind = '', bytes, method = '', isHttp10, length, isChunked, keepsAlive, expects, isPlain, target = '', ...rest] = line.split(' ');
  if (kind === 'part' || kind === 'refused') return { kind };
  const [model = '', version = '', jsonBytes, bodyEncoding = '', replyEncoding = '', ...fields] = rest;
  return {
    kind: 'whole',
    bytes: Number(bytes),
    method,
    isHttp10: isHttp10 === '1',
    contentLength: Number(length),
    isChunked: isChunked === '1',
    keepsAlive: keepsAlive === '1',
    expectsContinue: expects === '1',
    isPlain: isPlain === '1',
    target: text(target),
    infer:
      model === '-' ? undefined : { model: text(model), version: text(version), jsonBytes: Number(jsonBytes), bodyEncoding, replyEncoding },
    fields: fields.map(text),
  };
}

function text(hex: string): string {
  return Buffer.from(hex.slice(1), 'hex').toString('latin1');
}
