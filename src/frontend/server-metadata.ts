/** Name, version and extensions, as both protocols report them. */
export interface ServerMetadata {
  readonly name: string;
  readonly version: string;
  readonly extensions: readonly string[];
}

/** Clients probe this list, so it names only what works. */
const EXTENSIONS = ['model_configuration', 'binary_tensor_data', 'parameters', 'statistics'] as const;

export function serverMetadata(version: string): ServerMetadata {
  return { name: 'penstock', version, extensions: EXTENSIONS };
}
