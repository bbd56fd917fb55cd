/** What a server that is started to be measured gets to see of our own environment. */

type Environment = Readonly<Record<string, string | undefined>>;

/** Decides what is measured: devices, libraries, and our options of where models and the front end run. Options of servers that others run are not among it. */
const DECIDING =
  /^(CUDA_\w+|NVIDIA_\w+|MALLOC_\w+|LD_LIBRARY_PATH|LD_PRELOAD|GLIBC_TUNABLES|UV_THREADPOOL_SIZE|FAKE_GPU_SCRIPT|PENSTOCK_FRONT_END|PENSTOCK_GPU|PENSTOCK_ORT_LIBRARY)$/;
/** What any program needs. */
const NEUTRAL = /^(PATH|HOME|TMPDIR|LANG|LC_\w+|TZ)$/;

/** `deciding` is that part of `whole` on which the figures depend. */
export function measuredEnvironment(environment: Environment = process.env): {
  readonly whole: Readonly<Record<string, string>>;
  readonly deciding: Readonly<Record<string, string>>;
} {
  const given = Object.entries(environment)
    .filter((entry): entry is [string, string] => entry[1] !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const named = (...patterns: readonly RegExp[]): Record<string, string> =>
    Object.fromEntries(given.filter(([name]) => patterns.some((pattern) => pattern.test(name))));
  return { whole: named(DECIDING, NEUTRAL), deciding: named(DECIDING) };
}
