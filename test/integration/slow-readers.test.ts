/** Clients that ask for large answers and do not read them: their memory counts, and comes back when they are gone. */
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { HttpClient } from '../support/clients.js';
import { MetricsPage } from '../support/prometheus.js';
import { fixtureModels, ServerProcess } from '../support/server-process.js';
import { int64 } from '../support/tensors.js';

const MIB = 2 ** 20;
const ANSWER_BYTES = 16 * MIB;

let server: ServerProcess;
let http: HttpClient;

beforeAll(async () => {
  const flags = ['--max-request-bytes', '32MiB', '--max-in-flight-bytes', '64MiB', '--max-queue-bytes', '64MiB'];
  server = await ServerProcess.start({ repositories: [fixtureModels], flags });
  http = new HttpClient(server.httpUrl);
});

afterAll(async () => {
  await http.close();
  await server.stop();
});

async function until(condition: (bytes: number) => boolean): Promise<void> {
  const inFlightBytes = async (): Promise<number> => (await MetricsPage.of(server.managementUrl)).value('penstock_in_flight_bytes');
  await expect.poll(async () => condition(await inFlightBytes()), { timeout: 10_000 }).toBe(true);
}

/** A client that sends its request and never reads. */
function deafClient(form: 'binary' | 'json'): Socket {
  const elements = form === 'binary' ? ANSWER_BYTES / 4 : ANSWER_BYTES / 2; // "1," is two bytes of text
  const parameters = form === 'binary' ? '"parameters":{"binary_data_output":true},' : '';
  const body = `{${parameters}"inputs":[{"name":"n","shape":[1],"datatype":"INT64","data":[${elements}]}]}`;
  const socket = connect(server.ports.http, '127.0.0.1');
  socket.pause();
  socket.write(`POST /v2/models/big_out/infer HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  return socket;
}

it.each(['binary', 'json'] as const)('%s answers that nobody reads keep new requests out until their clients are gone', async (form) => {
  const clients: Socket[] = [];
  try {
    // One after the other: while an answer is written as JSON, the tensor that it is made of counts as well.
    for (let count = 1; count <= 4; count++) {
      clients.push(deafClient(form));
      await until((bytes) => Math.abs(bytes - count * ANSWER_BYTES) < 64 * 1024);
    }
    await expect(http.inferBinary('big_out', [int64('n', [1], [1n])])).rejects.toThrow(/HTTP 503: .*bytes are in flight/);
  } finally {
    for (const client of clients) client.destroy();
  }
  await until((bytes) => bytes === 0);
  const [one] = await http.inferBinary('big_out', [int64('n', [1], [1n])]);
  expect(one?.raw).toEqual(Buffer.from(Float32Array.of(1).buffer));
});
