/** Requests to the model `slow`, which runs as long as it is told to, and how many requests a server holds. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { GrpcInferRequest } from './clients.js';
import { MetricsPage } from './prometheus.js';
import type { ServerProcess } from './server-process.js';
import { fp32, int64, type TestTensor } from './tensors.js';

/** Inputs for so many times eight products of 64x64 matrices. */
export function slowInputs(iterations: bigint): TestTensor[] {
  return [int64('iterations', [1], [iterations]), fp32('x', [1, 64, 64], new Float32Array(4096).fill(1))];
}

export function slowRequest(iterations: bigint): GrpcInferRequest {
  const inputs = slowInputs(iterations);
  return {
    model_name: 'slow',
    inputs: inputs.map(({ name, datatype, shape }) => ({ name, datatype, shape: [...shape] })),
    raw_input_contents: inputs.map(({ raw }) => raw),
  };
}

/** Waits until the server holds exactly so many requests. */
export async function untilInFlight(server: ServerProcess, count: number, withinMs = 5000): Promise<void> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const found = (await MetricsPage.of(server.managementUrl)).value('penstock_in_flight_requests');
    if (found === count) return;
    if (performance.now() > deadline) throw new Error(`the server holds ${found} requests, not ${count}, after ${withinMs} ms`);
    await sleep(20);
  }
}
