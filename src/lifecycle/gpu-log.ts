/** What the log says of GPUs at start. */
import type { NativeGpuReport } from '../bridge/control.js';

/** The part of a pino logger that is used. */
type GpuLog = Readonly<Record<'info' | 'warn', (fields: object, message: string) => void>>;

/** `isOff`: nobody wants GPUs. A machine without a driver is a normal place to be; a driver that does not work is not. */
export function logGpus(log: GpuLog, { driverVersion, gpus, cause, reason, notes }: NativeGpuReport, isOff: boolean): void {
  for (const note of notes) log.warn({}, note);
  if (gpus.length > 0) {
    const fields = { driver_version: driverVersion, gpus };
    log.info(fields, `models run on GPUs: ${gpus.map(({ index, name, uuid }) => `${index} ${name} (${uuid})`).join(', ')}`);
  } else if (isOff) log.info({}, 'models run on the CPU: --gpu=off');
  else {
    const isNormal = cause === 'no-device' && notes.length === 0;
    log[isNormal ? 'info' : 'warn']({ driver_version: driverVersion, cause }, `models run on the CPU: ${reason}`);
  }
}
