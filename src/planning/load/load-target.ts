/** What is measured: what the server and the model say of themselves, and the request that they get. */

export interface LoadTarget {
  readonly server: { readonly name: string; readonly version: string };
  readonly model: { readonly name: string; readonly versions: readonly string[]; readonly platform: string };
  readonly request: LoadRequest;
  /** What each answer begins with; empty = answers to the same request differ, so nothing can be said. */
  readonly answerPrefix: Uint8Array;
}

export interface LoadRequest {
  /** How the load generator is told of protocol, path and headers. */
  readonly flags: readonly string[];
  readonly body: Uint8Array;
  /** How the data of inputs and outputs travel. */
  readonly tensors: 'binary' | 'json';
  /** Of the inputs, by name. */
  readonly shapes: Readonly<Record<string, readonly number[]>>;
}

/** The beginning that answers to the same request have in common, if they agree in all of it. */
export function commonPrefix(first: Uint8Array, second: Uint8Array): Uint8Array {
  return Buffer.compare(first, second) === 0 ? first : new Uint8Array();
}
