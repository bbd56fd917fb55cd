/** Certificate, key and authorities of the TLS ports: read from their files, checked, and read again when they change. */
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { isDeepStrictEqual } from 'node:util';
import type { TlsMaterial } from '../bridge/front-end.js';
import { tlsContextOptions } from '../bridge/tls-context.js';
import { OptionsError } from '../config/load.js';
import type { Options } from '../config/options.js';
import { messageOf, ServerError } from '../errors.js';
import type { Logger } from '../telemetry/log.js';

/** Kubernetes swaps a link without telling anybody; who renews certificates does so long before they end. */
const LOOK_INTERVAL_MS = 10_000;

type TlsPaths = Pick<Options, 'tlsCert' | 'tlsKey' | 'tlsClientCa'>;

interface Checked {
  readonly material: TlsMaterial;
  readonly beginsAtMs: number;
  readonly expiresAtMs: number;
}

export class TlsFiles {
  readonly #paths: TlsPaths;
  readonly #log: Logger;
  #use: (material: TlsMaterial) => void = () => {};
  #current: Checked;
  /** What was there last, good or not: the same is not looked at twice. */
  #found: TlsMaterial | OptionsError;
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;

  private constructor(paths: TlsPaths, log: Logger, found: TlsMaterial | OptionsError) {
    this.#paths = paths;
    this.#log = log;
    this.#found = found;
    this.#current = check(found, paths);
  }

  /** Undefined when the options ask for no TLS. Rejects with an `OptionsError` that names the option and the file that is wrong. */
  static async open(paths: TlsPaths, log: Logger): Promise<TlsFiles | undefined> {
    return paths.tlsCert === '' ? undefined : new TlsFiles(paths, log, await read(paths));
  }

  get material(): TlsMaterial {
    return this.#current.material;
  }

  /** When the certificate of the server ends, in milliseconds since 1970. */
  get expiresAtMs(): number {
    return this.#current.expiresAtMs;
  }

  /** Why clients refuse the certificate although it can be served, with the option and the file; undefined = nothing. */
  get fault(): string | undefined {
    const { beginsAtMs, expiresAtMs } = this.#current;
    const words = `--tls-cert: clients refuse "${this.#paths.tlsCert}", which`;
    if (expiresAtMs < Date.now()) return `${words} expired on ${iso(expiresAtMs)}`;
    return beginsAtMs > Date.now() ? `${words} is not valid before ${iso(beginsAtMs)}` : undefined;
  }

  /** Calls `use` with what new files hold, from now on. What it throws counts as a fault of the files. */
  watch(use: (material: TlsMaterial) => void): void {
    this.#use = use;
    this.#warn();
    this.#timer = setInterval(() => void this.look(), LOOK_INTERVAL_MS).unref();
  }

  /** Looks at the files now. Never rejects: files that are no good are logged once, and those before them stay in use. */
  async look(): Promise<void> {
    // A volume may take longer than the time between two looks; what it gave first must not come last.
    if (this.#isLooking) return;
    this.#isLooking = true;
    const found = await read(this.#paths).finally(() => (this.#isLooking = false));
    if (isDeepStrictEqual(found, this.#found)) return;
    try {
      const checked = check(found, this.#paths);
      this.#use(checked.material);
      this.#current = checked;
      this.#found = found;
    } catch (thrown) {
      // What has another reason than the files is tried again.
      if (thrown instanceof OptionsError || (thrown instanceof ServerError && thrown.code === 'ERR_CONFIG_OPTION')) this.#found = found;
      this.#log.warn({ reason: messageOf(thrown) }, 'TLS: the new files cannot be used, those before them stay');
      return;
    }
    this.#log.info({ expires: iso(this.expiresAtMs) }, 'TLS: connections get the new files from now on');
    this.#warn();
  }

  /** Looks no more. May be repeated. */
  stop(): void {
    clearInterval(this.#timer);
  }

  #warn(): void {
    const { fault } = this;
    if (fault !== undefined) this.#log.warn({ reason: fault }, 'TLS: the certificate is not valid now');
  }
}

function iso(atMs: number): string {
  return new Date(atMs).toISOString();
}

async function read({ tlsCert, tlsKey, tlsClientCa }: TlsPaths): Promise<TlsMaterial | OptionsError> {
  try {
    const [cert, key, clientCa] = await Promise.all([
      readOne('--tls-cert', tlsCert),
      readOne('--tls-key', tlsKey),
      tlsClientCa === '' ? '' : readOne('--tls-client-ca', tlsClientCa),
    ]);
    return { cert, key, clientCa };
  } catch (thrown) {
    if (thrown instanceof OptionsError) return thrown;
    throw thrown;
  }
}

async function readOne(flag: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'latin1');
  } catch (thrown) {
    throw new OptionsError([`${flag}: "${path}" cannot be read: ${messageOf(thrown)}`]);
  }
}

/** Throws `OptionsError`. */
function check(material: TlsMaterial | OptionsError, { tlsCert, tlsKey, tlsClientCa }: TlsPaths): Checked {
  if (material instanceof OptionsError) throw material;
  const [leaf] = certificates('--tls-cert', tlsCert, material.cert);
  if (tlsClientCa !== '') certificates('--tls-client-ca', tlsClientCa, material.clientCa);
  if (!leaf.checkPrivateKey(privateKey(tlsKey, material.key))) {
    throw new OptionsError([`--tls-key: "${tlsKey}" is not the key of the first certificate in "${tlsCert}"`]);
  }
  try {
    createSecureContext(tlsContextOptions(material));
  } catch (thrown) {
    throw new OptionsError([`--tls-cert: "${tlsCert}" cannot be used: ${messageOf(thrown)}`]);
  }
  return { material, beginsAtMs: Date.parse(leaf.validFrom), expiresAtMs: Date.parse(leaf.validTo) };
}

const BEGIN = '-----BEGIN CERTIFICATE-----';

/** All that the text holds, the first of which is there. node:tls passes over those behind one that is cut off, without a word. */
function certificates(flag: string, path: string, text: string): [X509Certificate, ...X509Certificate[]] {
  const [, ...begun] = text.split(BEGIN);
  let first: X509Certificate | undefined;
  let others: X509Certificate[];
  try {
    [first, ...others] = begun.map((rest) => new X509Certificate(BEGIN + rest));
  } catch (thrown) {
    throw new OptionsError([`${flag}: "${path}" holds a certificate that cannot be read: ${messageOf(thrown)}`]);
  }
  if (first === undefined) throw new OptionsError([`${flag}: "${path}" holds no certificate in PEM form`]);
  return [first, ...others];
}

function privateKey(path: string, text: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch (thrown) {
    throw new OptionsError([`--tls-key: "${path}" holds no private key in PEM form, without a passphrase: ${messageOf(thrown)}`]);
  }
}
