/** Certificates for tests, made on the spot: X.509 (RFC 5280) is short where there is one kind of key and one of signature. */
import { generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** PEM texts. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
}

const DAY_MS = 86_400_000;
const [INTEGER, BIT_STRING, OCTET_STRING, UTF8, UTC_TIME, SEQUENCE, SET] = [0x02, 0x03, 0x04, 0x0c, 0x17, 0x30, 0x31];
const VERSION_3 = Buffer.from('a003020102', 'hex');
const ECDSA_WITH_SHA256 = Buffer.from('300a06082a8648ce3d040302', 'hex');
const COMMON_NAME = Buffer.from('0603550403', 'hex');
/** basicConstraints, critical: an authority. */
const IS_AUTHORITY = Buffer.from('300f0603551d130101ff040530030101ff', 'hex');
const SUBJECT_ALT_NAME = Buffer.from('0603551d11', 'hex');
/** dNSName "localhost", iPAddress 127.0.0.1. */
const HERE = der(SEQUENCE, der(0x82, Buffer.from('localhost')), der(0x87, Buffer.from([127, 0, 0, 1])));

export class Authority {
  readonly #name: string;
  readonly #key: KeyObject;
  /** PEM. */
  readonly certificate: string;

  constructor(name = 'Penstock tests') {
    this.#name = name;
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.#key = privateKey;
    this.certificate = this.#sign(name, publicKey, DAY_MS, IS_AUTHORITY);
  }

  /** For a client, or a server on this machine. Valid from an hour before it ends, if that is before now. */
  issue(name: string, validForMs = DAY_MS): Identity {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const names = der(SEQUENCE, SUBJECT_ALT_NAME, der(OCTET_STRING, HERE));
    return { cert: this.#sign(name, publicKey, validForMs, names), key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string };
  }

  #sign(name: string, publicKey: KeyObject, validForMs: number, extension: Buffer): string {
    const endMs = Date.now() + validForMs;
    const startMs = Math.min(Date.now(), endMs) - DAY_MS / 24;
    const content = der(
      SEQUENCE,
      VERSION_3,
      der(INTEGER, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
      ECDSA_WITH_SHA256,
      distinguishedName(this.#name),
      der(SEQUENCE, time(startMs), time(endMs)),
      distinguishedName(name),
      publicKey.export({ type: 'spki', format: 'der' }),
      der(0xa3, der(SEQUENCE, extension)),
    );
    const signature = der(BIT_STRING, Buffer.from([0]), sign('sha256', content, this.#key));
    const lines =
      der(SEQUENCE, content, ECDSA_WITH_SHA256, signature)
        .toString('base64')
        .match(/.{1,64}/g) ?? [];
    return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
  }
}

function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function distinguishedName(name: string): Buffer {
  return der(SEQUENCE, der(SET, der(SEQUENCE, COMMON_NAME, der(UTF8, Buffer.from(name)))));
}

function time(ms: number): Buffer {
  return der(UTC_TIME, Buffer.from(`${new Date(ms).toISOString().replaceAll(/[-:T]/g, '').slice(2, 14)}Z`));
}

/** The files of a server's TLS in a folder of their own, and the flags that name them. */
export class TlsFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'penstock-tls-'));
  readonly flags: readonly string[];

  /** `clientCa`: PEM; undefined = clients need no certificate. */
  constructor(identity: Identity, clientCa?: string) {
    this.write({ 'tls.crt': identity.cert, 'tls.key': identity.key });
    this.flags = ['--tls-cert', join(this.path, 'tls.crt'), '--tls-key', join(this.path, 'tls.key')];
    if (clientCa === undefined) return;
    this.write({ 'ca.crt': clientCa });
    this.flags = [...this.flags, '--tls-client-ca', join(this.path, 'ca.crt')];
  }

  /** Each file at once. */
  write(files: Readonly<Record<string, string>>): void {
    for (const [name, text] of Object.entries(files)) {
      writeFileSync(join(this.path, `new-${name}`), text);
      renameSync(join(this.path, `new-${name}`), join(this.path, name));
    }
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
