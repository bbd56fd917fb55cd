/** One small request after the other to the server, and to plain node:http and grpc-js echo servers that move messages of the same size. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { grpcCaller, grpcInferMessage, httpCaller } from './callers.mjs';
import { closedLoop, closedWindow } from './load.mjs';
import { httpRequest, inferBody, inferRequests, knownRequests, makeRepository } from './models.mjs';
import { cpuByThread, cpuSeconds, runLoad, scratch, startNode, startServer } from './processes.mjs';

const CONNECTIONS = 32;
const [CHANNELS, CALLS_EACH] = [8, 4];

/** How many clients there are, in words. */
export const SMALL_LOAD = { http: `${CONNECTIONS} connections`, grpc: `${CHANNELS} connections with ${CALLS_EACH} calls in flight each` };

/**
 * Starts the servers. `loads`: for http, httpEcho, grpc and grpcEcho what a closed loop of so many seconds comes to, with the CPU seconds of
 * the server's process and its lanes in `grown`. `callers`: for each, a new connection, since servers close those that are not used.
 * `requestBytes`: of the HTTP body.
 */
export async function startSmallContenders(model) {
  const penstock = await startServer(makeRepository({ [model]: { model } }));
  const known = knownRequests(model, 1);
  const { body, jsonBytes } = inferBody(known[0].tensor, 'y');
  const url = `/v2/models/${model}/infer`;
  const message = grpcInferMessage(model, known[0].tensor);
  const messageFile = path.join(scratch, 'message');
  writeFileSync(messageFile, message);

  const http = await httpCaller(penstock.http, url, body, { 'Inference-Header-Content-Length': jsonBytes });
  const grpc = await grpcCaller(penstock.grpc, message);
  const [httpReply, grpcReply] = [await http.call(), await grpc.call()];
  if (!grpcReply.includes(httpReply.subarray(-known[0].expected.length))) throw new Error('HTTP and gRPC answer with different values');
  const echo = await startNode((readyFile) => [
    'bench/measure/echo-servers.mjs',
    String(httpReply.length),
    String(grpcReply.length),
    readyFile,
  ]);

  const overHttp = ({ http: port, pid }, requests, seconds) =>
    closedLoop({ port, requests, connections: CONNECTIONS, seconds, sample: () => sampleOf(pid) });
  const overGrpc = ({ grpc: port, pid }, seconds) => {
    const records = path.join(scratch, 'grpc-records');
    const args = ['bench/measure/grpc-load.mjs', port, CHANNELS, CALLS_EACH, messageFile, records].map(String);
    const load = (total) => runLoad(process.execPath, [...args, String(total)]);
    return closedWindow({ load, records, seconds, sample: () => sampleOf(pid) });
  };
  const nothingExpected = [{ bytes: httpRequest(url, body), expected: Buffer.alloc(0) }];
  return {
    loads: {
      http: (seconds) => overHttp(penstock, inferRequests(known, model), seconds),
      httpEcho: (seconds) => overHttp(echo, nothingExpected, seconds),
      grpc: (seconds) => overGrpc(penstock, seconds),
      grpcEcho: (seconds) => overGrpc(echo, seconds),
    },
    callers: {
      http: () => httpCaller(penstock.http, url, body, { 'Inference-Header-Content-Length': jsonBytes }),
      httpEcho: () => httpCaller(echo.http, url, body, {}),
      grpc: () => grpcCaller(penstock.grpc, message),
      grpcEcho: () => grpcCaller(echo.grpc, message),
    },
    requestBytes: body.length,
  };
}

const sampleOf = (pid) => ({ cpu: cpuSeconds(pid), lane: cpuByThread(pid)['penstock-lane'] ?? 0 });
