/** Which version folders of a model are served. */
export type VersionPolicy =
  /** The `count` highest versions, >= 1. */
  | { readonly kind: 'latest'; readonly count: number }
  | { readonly kind: 'all' }
  | { readonly kind: 'specific'; readonly versions: readonly number[] };

export const DEFAULT_VERSION_POLICY: VersionPolicy = { kind: 'latest', count: 1 };

export interface VersionChoice {
  /** Rising. */
  readonly chosen: readonly number[];
  /** Named by the policy, but there is no such folder. Rising. */
  readonly missing: readonly number[];
}

export function chooseVersions(policy: VersionPolicy, available: readonly number[]): VersionChoice {
  const rising = [...available].sort((a, b) => a - b);
  switch (policy.kind) {
    case 'latest':
      return { chosen: rising.slice(-policy.count), missing: [] };
    case 'all':
      return { chosen: rising, missing: [] };
    case 'specific': {
      const wanted = [...new Set(policy.versions)].sort((a, b) => a - b);
      return { chosen: wanted.filter((v) => rising.includes(v)), missing: wanted.filter((v) => !rising.includes(v)) };
    }
  }
}
