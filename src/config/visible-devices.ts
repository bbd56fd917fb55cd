/** Which GPUs the container runtime was asked to show to this process. */

/** NVIDIA_VISIBLE_DEVICES as it is; the engine knows what each of its forms says (native/device/gpus.h). Empty = all. */
export function visibleDevices(environment: Readonly<Record<string, string | undefined>> = process.env): string {
  return environment['NVIDIA_VISIBLE_DEVICES'] ?? '';
}
