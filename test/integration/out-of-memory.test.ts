/** A run that asks for more memory than there is fails alone, as "try again or ask for less", and the server goes on. */
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FORMS, ProtocolClients, type Inference } from '../support/protocols.js';
import { fixtureModels, ServerProcess } from '../support/server-process.js';
import { fp32, int64 } from '../support/tensors.js';

let server: ServerProcess;
let clients: ProtocolClients;

beforeAll(async () => {
  server = await ServerProcess.start({ repositories: [fixtureModels] });
  clients = new ProtocolClients(server);
});

afterAll(async () => {
  await clients.close();
  await server.stop();
});

const asking = (elements: bigint): Inference => ({ model: 'big_out', inputs: [int64('n', [1], [elements])] });

it.each(FORMS)('is 503 over HTTP and UNAVAILABLE over gRPC: %s', async (form) => {
  const refusal = await clients.refusal(form, asking(2n ** 50n));
  expect(refusal.status).toBe(form.startsWith('HTTP') ? 503 : status.UNAVAILABLE);
  expect(refusal.text).toContain('memory');
});

it.each(FORMS)('leaves the model serving: %s', async (form) => {
  expect((await clients.infer(form, asking(3n))).outputs).toEqual([fp32('ones', [3], [1, 1, 1])]);
});
