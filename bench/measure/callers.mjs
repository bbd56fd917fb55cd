/** Clients that cost as little as they can: one request at a time on one connection. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { root } from './record.mjs';

/** Microseconds of each of `count` calls, one after the other. */
export async function timeCalls(call, count) {
  const times = [];
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    await call();
    times.push((performance.now() - start) * 1000);
  }
  return times;
}

/** HTTP/1.1 keep-alive over a bare socket: the bytes of the request never change. `call` gives the reply's body. */
export async function httpCaller(port, path, body, headers) {
  const socket = net.connect(port, '127.0.0.1').setNoDelay(true);
  await once(socket, 'connect');
  const lines = Object.entries({ Host: `127.0.0.1:${port}`, 'Content-Length': body.length, ...headers }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  const request = Buffer.concat([Buffer.from(`POST ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`), body]);
  let received = [];
  let settle = () => {};
  let fail = () => {};
  socket.on('close', () => fail(new Error(`the connection to port ${port} is closed`)));
  socket.on('data', (chunk) => {
    received.push(chunk);
    const reply = received.length === 1 ? chunk : Buffer.concat(received);
    const headEnd = reply.indexOf('\r\n\r\n');
    if (headEnd < 0) return;
    const head = reply.toString('latin1', 0, headEnd);
    const size = Number(/^content-length: (\d+)/im.exec(head)?.[1]);
    if (reply.length < headEnd + 4 + size) return;
    received = [];
    if (!head.startsWith('HTTP/1.1 200')) throw new Error(reply.toString('utf8'));
    settle(reply.subarray(headEnd + 4));
  });
  const call = () =>
    new Promise((resolve, reject) => {
      [settle, fail] = [resolve, reject];
      socket.write(request);
    });
  return { call, close: () => socket.destroy() };
}

/** grpc-js with messages left as bytes. `call` gives the reply's message. */
export async function grpcCaller(port, message) {
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  const same = (bytes) => bytes;
  const call = () =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest('/inference.GRPCInferenceService/ModelInfer', same, same, message, (error, reply) =>
        error ? reject(error) : resolve(reply),
      );
    });
  return { call, close: () => client.close() };
}

const serialise = (request) =>
  loadSync('grpc_service.proto', { includeDirs: [path.join(root, 'proto')], keepCase: true })[
    'inference.GRPCInferenceService'
  ].ModelInfer.requestSerialize(request);

/** A ModelInferRequest in protobuf's JSON form, as a message. */
export function grpcRequest(file) {
  const request = JSON.parse(readFileSync(file, 'utf8'));
  return serialise({ ...request, raw_input_contents: request.raw_input_contents.map((text) => Buffer.from(text, 'base64')) });
}

/** A ModelInferRequest with one tensor. */
export function grpcInferMessage(model, { name, datatype, shape, bytes }) {
  return serialise({ model_name: model, inputs: [{ name, datatype, shape }], raw_input_contents: [bytes] });
}
