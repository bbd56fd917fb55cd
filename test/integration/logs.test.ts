import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { logLines, untilLogged, type LogLine } from '../support/log-lines.js';
import { ProtocolClients, type Inference } from '../support/protocols.js';
import { fixtureModels, ServerProcess } from '../support/server-process.js';
import { fp32, int64 } from '../support/tensors.js';

const INFER_CALL = '/inference.GRPCInferenceService/ModelInfer';
const row = fp32('INPUT0', [1, 4], [1, 2, 3, 4]);
const good = (id: string): Inference => ({ model: 'identity_fp32', id, inputs: [row] });
const failing = (id: string): Inference => ({ model: 'fails_at_run', id, inputs: [int64('INPUT0', [1, 1], [9n])] });

let server: ServerProcess;
let clients: ProtocolClients;

async function start(flags: readonly string[]): Promise<void> {
  server = await ServerProcess.start({ repositories: [fixtureModels], flags });
  clients = new ProtocolClients(server);
}

async function stop(): Promise<void> {
  await clients.close();
  await server.stop();
}

function accessLines(): LogLine[] {
  return logLines(server).filter(({ msg }) => msg === 'request');
}

function untilAccess(requestId: string): Promise<LogLine> {
  return untilLogged(server, (line) => line.msg === 'request' && line['request_id'] === requestId);
}

describe('the log', () => {
  beforeAll(() => start([]));
  afterAll(stop);

  it('says nothing of requests that went well or were refused', async () => {
    const before = server.lines.length;
    await clients.infer('HTTP JSON', good('quiet'));
    await clients.infer('gRPC raw', good('quiet'));
    await clients.refusal('HTTP JSON', { ...good('quiet'), model: 'nobody' });
    await clients.refusal('gRPC raw', { ...good('quiet'), model: 'nobody' });
    expect(server.lines.slice(before)).toEqual([]);
  });

  it.each([
    ['HTTP binary', 'POST', '/v2/models/fails_at_run/infer'],
    ['gRPC raw', 'GRPC', INFER_CALL],
  ] as const)('names the request that failed inside the server: %s', async (form, method, path) => {
    const id = `failing over ${method}`;
    await clients.refusal(form, failing(id));
    const line = await untilLogged(server, (one) => one['request_id'] === id);
    expect(line).toMatchObject({ level: 'error', msg: 'request failed', method, path, code: 'ERR_MODEL_RUN' });
  });

  it('is one JSON object a line, whatever a client puts into its id and its path', async () => {
    const id = 'x"}\r\n{"level":"fatal","msg":"forged"}\u2028\u0000\u001b[31m';
    await clients.refusal('HTTP binary', failing(id));
    await clients.refusal('gRPC raw', failing(id));
    await untilLogged(server, (line) => line['request_id'] === id && line['method'] === 'POST');
    await untilLogged(server, (line) => line['request_id'] === id && line['method'] === 'GRPC');
    expect(logLines(server).filter(({ msg }) => msg === 'forged')).toEqual([]);
  });
});

describe('the access log', () => {
  beforeAll(() => start(['--access-log', 'true']));
  afterAll(stop);

  it('has one line for each request, with its id', async () => {
    await clients.infer('HTTP binary', good('by http'));
    await clients.infer('gRPC raw', good('by grpc'));
    const fields = { level: 'info', duration_ms: expect.any(Number) as number, bytes_in: expect.any(Number) as number };
    expect(await untilAccess('by http')).toMatchObject({ ...fields, method: 'POST', path: '/v2/models/identity_fp32/infer', status: 200 });
    expect(await untilAccess('by grpc')).toMatchObject({ ...fields, method: 'GRPC', path: INFER_CALL, status: 'OK' });
    expect(accessLines()).toHaveLength(2);
    for (const line of accessLines()) expect(line['bytes_out']).toBeGreaterThan(16);
  });

  it('has the status of a refusal', async () => {
    await clients.refusal('HTTP JSON', { ...good('refused by http'), outputs: ['WHAT'] });
    await clients.refusal('gRPC raw', { ...good('refused by grpc'), outputs: ['WHAT'] });
    expect(await untilAccess('refused by http')).toMatchObject({ status: 400 });
    expect(await untilAccess('refused by grpc')).toMatchObject({ status: 'INVALID_ARGUMENT' });
  });

  it('has routes other than infer as well, without their query', async () => {
    await clients.http.get('/v2/models/identity_fp32?token=secret%0d%0aforged');
    const line = await untilLogged(server, (one) => one.msg === 'request' && one['method'] === 'GET');
    expect(line).toMatchObject({ path: '/v2/models/identity_fp32', status: 200, request_id: '' });
    expect(server.lines.join('\n')).not.toContain('secret');
  });
});
