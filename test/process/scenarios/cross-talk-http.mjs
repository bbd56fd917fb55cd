// usage: node cross-talk-http.mjs PORT CONNECTIONS REQUESTS
// Echoes numbers that no two requests share over pipelined keep-alive connections, and compares every answer with its question.
import { connect } from 'node:net';

const [port, connections, requests] = process.argv.slice(2).map(Number);
/** Requests of one connection that are on their way at one time. */
const DEPTH = 16;
const TENSOR_BYTES = 16;

const json = JSON.stringify({
  parameters: { binary_data_output: true },
  inputs: [{ name: 'INPUT0', datatype: 'INT64', shape: [1, 2], parameters: { binary_data_size: TENSOR_BYTES } }],
});
const head =
  'POST /v2/models/identity_int64/infer HTTP/1.1\r\nHost: test\r\n' +
  `Content-Length: ${json.length + TENSOR_BYTES}\r\nInference-Header-Content-Length: ${json.length}\r\n\r\n${json}`;
const prefix = Buffer.from(head);

let next = 0;
let wrong = 0;
let failed = 0;
let answered = 0;

function talk(connection) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const expected = [];
    let rest = Buffer.alloc(0);
    const ask = () => {
      const tensor = Buffer.alloc(TENSOR_BYTES);
      tensor.writeUInt32LE(next, 0);
      tensor.writeUInt32LE(connection, 4);
      tensor.writeUInt32LE(Math.random() * 2 ** 32, 8);
      next++;
      expected.push(tensor);
      socket.write(Buffer.concat([prefix, tensor]));
    };
    const take = (answer) => {
      answered++;
      if (!answer.subarray(0, 12).equals(Buffer.from('HTTP/1.1 200'))) failed++;
      else if (!answer.subarray(-TENSOR_BYTES).equals(expected[0])) wrong++;
      expected.shift();
      if (next < requests) ask();
      else if (expected.length === 0) socket.end();
    };
    socket.on('data', (chunk) => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      for (;;) {
        const end = rest.indexOf('\r\n\r\n');
        if (end < 0) return;
        const length = Number(
          /content-length: (\d+)\r\n/i.exec(rest.toString('latin1', 0, end + 2).replace(/inference-header-content-length/i, ''))?.[1],
        );
        const total = end + 4 + length;
        if (rest.length < total) return;
        take(rest.subarray(0, total));
        rest = rest.subarray(total);
      }
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      failed += expected.length;
      resolve();
    });
    socket.on('connect', () => {
      for (let i = 0; i < DEPTH && next < requests; i++) ask();
    });
  });
}

await Promise.all(Array.from({ length: connections }, (_, i) => talk(i)));
console.log(JSON.stringify({ answered, wrong, failed }));
