import { describe, expect, it, onTestFinished } from 'vitest';
import { weightsModel } from '../support/big-model.js';
import { HttpClient } from '../support/clients.js';
import { modelFolder } from '../support/model-folder.js';
import { ServerProcess } from '../support/server-process.js';
import { fp32 } from '../support/tensors.js';

const SIDE = 5200;
const WEIGHT_BYTES = 4 * SIDE * SIDE;

/** Resident bytes of a server whose model has so many lanes, each of which has run. */
async function residentWith(lanes: number, file: Buffer): Promise<number> {
  const config = `max_batch_size: 4\ninstance_group [ { count: ${lanes} } ]`;
  const server = await ServerProcess.start({
    repositories: [modelFolder({ 'weights/config.pbtxt': config, 'weights/1/model.onnx': file })],
  });
  const http = new HttpClient(server.httpUrl);
  onTestFinished(async () => {
    await http.close();
    await server.stop();
  });
  const input = [fp32('x', [1, SIDE], Array<number>(SIDE).fill(1))];
  for (let round = 0; round < 10; round++) await Promise.all(Array.from({ length: 2 * lanes }, () => http.inferBinary('weights', input)));
  return server.residentBytes();
}

describe('the lanes of a model', () => {
  it('share its weights: four take less than a tenth of the model more than one', { timeout: 120_000 }, async () => {
    expect(WEIGHT_BYTES).toBeGreaterThan(100 * 1024 * 1024);
    const file = weightsModel(SIDE);
    const one = await residentWith(1, file);
    const four = await residentWith(4, file);
    expect(one).toBeGreaterThan(WEIGHT_BYTES);
    expect(Math.abs(four - one)).toBeLessThan(WEIGHT_BYTES / 10);
  });
});
