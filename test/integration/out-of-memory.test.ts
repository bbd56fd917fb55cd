/** A run that asks for more memory than there is fails alone, as "try again or ask for less", and the server goes on. */
import * as grpc from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { GrpcClient, HttpClient } from '../support/clients.js';
import { fixtureModels, ServerProcess } from '../support/server-process.js';
import { int64 } from '../support/tensors.js';

let server: ServerProcess;
let http: HttpClient;
let rpc: GrpcClient;

beforeAll(async () => {
  server = await ServerProcess.start({ repositories: [fixtureModels] });
  http = new HttpClient(server.httpUrl);
  rpc = new GrpcClient(server.grpcAddress);
});

afterAll(async () => {
  await http.close();
  rpc.close();
  await server.stop();
});

const asking = (elements: bigint) => [int64('n', [1], [elements])];
const TOO_MANY = 2n ** 50n;

it('is 503 over HTTP and UNAVAILABLE over gRPC', async () => {
  const request = { inputs: [{ name: 'n', datatype: 'INT64', shape: [1], data: [Number(TOO_MANY)] }] };
  const answer = await http.request('POST', '/v2/models/big_out/infer', JSON.stringify(request));
  expect(answer.status).toBe(503);
  expect(JSON.parse(answer.body.toString('utf8'))).toEqual({ error: expect.stringContaining('memory') as string });
  await expect(rpc.inferRaw('big_out', asking(TOO_MANY))).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE });
});

it('leaves the model serving', async () => {
  const [ones] = await http.inferBinary('big_out', asking(3n));
  expect(ones?.raw).toEqual(Buffer.from(Float32Array.of(1, 1, 1).buffer));
});
