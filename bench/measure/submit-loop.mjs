/**
 * The whole server in this process, and one request after the other handed to its engine from JavaScript, past the sockets.
 * Usage: submit-loop.mjs REPOSITORY MODEL BODY_FILE JSON_BYTES EXPECTED_FILE CALLS; prints {"medianUs":n}
 */
import { readFileSync } from 'node:fs';
import { Inference } from '../../dist/bridge/inference.js';
import { loadOptions } from '../../dist/config/load.js';
import { Server } from '../../dist/server.js';
import { createLogger } from '../../dist/telemetry/log.js';
import { median } from './record.mjs';

const [repository, model, bodyFile, jsonBytes, expectedFile, calls] = process.argv.slice(2);
const ports = ['--http-port', '0', '--grpc-port', '0', '--metrics-port', '0'];
const { options } = loadOptions(['--model-repository', repository, '--host', '127.0.0.1', '--log-level', 'error', ...ports]);
const server = new Server(options, createLogger({ level: options.logLevel, name: 'main' }));
await server.start();

const chunks = [readFileSync(bodyFile)];
const expected = readFileSync(expectedFile);
const inference = new Inference();
/** Microseconds from the submission to the callback. */
const submit = () =>
  new Promise((resolve, reject) => {
    const start = performance.now();
    const onReply = (reply) => {
      const us = (performance.now() - start) * 1000;
      // A small answer comes as one text of bytes.
      const values = typeof reply.head === 'string' ? reply.head.slice(reply.jsonBytes) : reply.tails[0];
      if (values.length !== expected.length) reject(new Error('an answer has the wrong size'));
      reply.release();
      resolve(us);
    };
    inference.submitHttp({ model, version: '', chunks, jsonBytes: Number(jsonBytes), timeoutMs: 0 }, { onReply, onError: reject });
  });

const times = [];
for (let i = -Number(calls) / 4; i < Number(calls); i++) {
  const us = await submit();
  if (i >= 0) times.push(us);
}
process.stdout.write(JSON.stringify({ medianUs: median(times) }), () => process.exit(0));
