/** How far each version of a model is, and what the engine and the health checks are told of it. */
import type { NativeCatalogModel, NativeCatalogVersion } from '../bridge/control.js';
import type { ErrorCode } from '../errors.js';
import { metadataDocument } from './documents.js';
import type { LoadedVersion } from './version-loader.js';

/** Names as Triton's repository index has them. UNKNOWN: found, its turn has not come. */
export type VersionState = 'UNKNOWN' | 'LOADING' | 'READY' | 'UNAVAILABLE';

export interface VersionEntry {
  readonly state: VersionState;
  /** Empty when READY. */
  readonly reason: string;
  /** Of the failure; empty unless UNAVAILABLE. */
  readonly code: ErrorCode | '';
  /** Not null when READY. */
  readonly loaded: LoadedVersion | null;
}

export interface ModelEntry {
  readonly name: string;
  /** Why the whole model is refused; empty = it is not. */
  readonly fault: string;
  /** Of the fault; empty where there is none. */
  readonly faultCode: ErrorCode | '';
  readonly versions: Map<number, VersionEntry>;
}

export interface VersionStatus {
  readonly version: number;
  readonly state: VersionState;
  readonly reason: string;
  /** Of the failure; empty unless UNAVAILABLE. */
  readonly code: ErrorCode | '';
  /** Requests that may wait for it; 0 = unbounded, or not READY. */
  readonly queueLimit: number;
}

export interface ModelStatus {
  readonly name: string;
  /** Rising. */
  readonly versions: readonly VersionStatus[];
  readonly readyVersions: number;
  /** What is wrong with the model or its versions; empty = nothing. */
  readonly reason: string;
  /** Why the whole model is refused; empty = it is not. */
  readonly faultCode: ErrorCode | '';
  /** It is refused because its configuration insists on a GPU. */
  readonly lacksGpu: boolean;
  /** UUIDs of the GPUs that its ready versions run on. */
  readonly gpus: readonly string[];
}

export function statusOf({ name, fault, faultCode, versions }: ModelEntry): ModelStatus {
  const statuses = rising(versions).map(([version, { state, reason, code, loaded }]) => {
    return { version, state, reason, code, queueLimit: loaded?.queueLimit ?? 0 };
  });
  const failed = statuses.filter(({ state }) => state === 'UNAVAILABLE');
  return {
    name,
    versions: statuses,
    readyVersions: statuses.filter(({ state }) => state === 'READY').length,
    reason: fault !== '' ? fault : failed.map(({ version, reason }) => `version ${version}: ${reason}`).join('; '),
    faultCode,
    lacksGpu: faultCode === 'ERR_GPU_UNAVAILABLE',
    gpus: [...new Set([...versions.values()].flatMap(({ loaded }) => loaded?.plan.gpus ?? []))],
  };
}

/** Versions that are not ready are in the catalog too, so that a request for them is told why. */
export function catalogModelOf({ name, versions }: ModelEntry): NativeCatalogModel {
  const entries = rising(versions);
  const ready = entries.flatMap(([version, { loaded }]) => (loaded === null ? [] : [{ version, loaded }]));
  const newest = ready.at(-1);
  const readyVersions = ready.map(({ version }) => version);
  return {
    name,
    defaultVersion: newest?.version ?? 0,
    metadataJson: newest === undefined ? '' : metadataDocument(name, readyVersions, newest.loaded.api),
    versions: entries.map(([version, { loaded, reason }]): NativeCatalogVersion => {
      if (loaded === null) return { version, handle: null, reason, metadataJson: '', configJson: '' };
      const metadataJson = metadataDocument(name, [version], loaded.api);
      return { version, handle: loaded.handle, reason: '', metadataJson, configJson: loaded.configJson };
    }),
  };
}

function rising(versions: ReadonlyMap<number, VersionEntry>): readonly (readonly [number, VersionEntry])[] {
  return [...versions].sort(([a], [b]) => a - b);
}
