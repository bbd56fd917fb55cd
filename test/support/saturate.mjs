/**
 * Keeps a server as busy as it can be: so many keep-alive connections, each with the next request as soon as it has its answer.
 * Arguments: URL of an infer route, connections. stdin: the JSON body. Writes "busy" once every connection has had an answer, and runs
 * until it is killed.
 */
import http from 'node:http';
import process from 'node:process';

const [url = '', connections = '1'] = process.argv.slice(2);
const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const body = Buffer.concat(chunks);
const agent = new http.Agent({ keepAlive: true, maxSockets: Number(connections) });
const headers = { 'content-length': body.length, 'content-type': 'application/json' };

function infer() {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method: 'POST', agent, headers }, (response) => {
      response.resume();
      response.on('end', () => (response.statusCode === 200 ? resolve() : reject(new Error(`status ${response.statusCode}`))));
    });
    request.on('error', reject);
    request.end(body);
  });
}

let busy = 0;
async function connection() {
  await infer();
  if (++busy === Number(connections)) process.stdout.write('busy\n');
  for (;;) await infer();
}
await Promise.all(Array.from({ length: Number(connections) }, connection));
