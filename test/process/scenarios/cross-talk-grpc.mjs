// usage: node cross-talk-grpc.mjs PORT CONNECTIONS REQUESTS
// Echoes numbers that no two calls share over HTTP/2 connections, and compares every answer with its question. Frames are made by hand:
// a client library would take most of the machine.
import { connect } from 'node:http2';

const [port, connections, requests] = process.argv.slice(2).map(Number);
/** Calls of one connection that are on their way at one time. */
const DEPTH = 16;
const TENSOR_BYTES = 16;

const field = (number, content) => Buffer.concat([Buffer.from([number * 8 + 2, content.length]), content]);
const input = [field(1, Buffer.from('INPUT0')), field(2, Buffer.from('INT64')), field(3, Buffer.from([1, 2]))];
const message = [field(1, Buffer.from('identity_int64')), field(5, Buffer.concat(input))];
const headers = {
  ':method': 'POST',
  ':path': '/inference.GRPCInferenceService/ModelInfer',
  'content-type': 'application/grpc',
  te: 'trailers',
};

let next = 0;
let wrong = 0;
let failed = 0;
let answered = 0;

function call(session, connection) {
  return new Promise((resolve) => {
    const tensor = Buffer.alloc(TENSOR_BYTES);
    tensor.writeUInt32LE(next, 0);
    tensor.writeUInt32LE(connection, 4);
    tensor.writeUInt32LE(Math.random() * 2 ** 32, 8);
    next++;
    const body = Buffer.concat([...message, field(7, tensor)]);
    const frame = Buffer.alloc(5);
    frame.writeUInt32BE(body.length, 1);
    const stream = session.request(headers);
    const chunks = [];
    let status = 'none';
    stream.on('trailers', (trailers) => (status = trailers['grpc-status']));
    stream.on('data', (chunk) => chunks.push(chunk));
    stream.on('error', () => {});
    stream.on('close', () => {
      answered++;
      if (Number(status) !== 0) failed++;
      // The raw output is the last field of the message.
      else if (!Buffer.concat(chunks).subarray(-TENSOR_BYTES).equals(tensor)) wrong++;
      resolve();
    });
    stream.end(Buffer.concat([frame, body]));
  });
}

async function talk(connection) {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on('error', () => {});
  const line = async () => {
    while (next < requests) await call(session, connection);
  };
  await Promise.all(Array.from({ length: DEPTH }, line));
  session.close();
}

await Promise.all(Array.from({ length: connections }, (_, i) => talk(i)));
console.log(JSON.stringify({ answered, wrong, failed }));
