/** What one writes in an afternoon: fastify, onnxruntime-node, one run for each request. Usage: plain-server.mjs MODEL_FILE READY_FILE */
import { renameSync, writeFileSync } from 'node:fs';
import fastify from 'fastify';
import { InferenceSession, Tensor } from 'onnxruntime-node';

const [modelFile, readyFile] = process.argv.slice(2);
const session = await InferenceSession.create(modelFile);
const app = fastify();
app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
app.post('/v2/models/:model/infer', async (request, reply) => {
  const jsonBytes = Number(request.headers['inference-header-content-length']);
  const { inputs } = JSON.parse(request.body.toString('utf8', 0, jsonBytes));
  const [{ name, shape }] = inputs;
  const raw = request.body.subarray(jsonBytes);
  const values = new Float32Array(Uint8Array.from(raw).buffer);
  const results = await session.run({ [name]: new Tensor('float32', values, shape) });
  const [output] = session.outputNames;
  const { data, dims } = results[output];
  const parameters = { binary_data_size: data.byteLength };
  const outputs = [{ name: output, datatype: 'FP32', shape: dims, parameters }];
  const head = Buffer.from(JSON.stringify({ model_name: request.params.model, model_version: '1', outputs }));
  reply.header('Content-Type', 'application/octet-stream').header('Inference-Header-Content-Length', head.length);
  return Buffer.concat([head, Buffer.from(data.buffer, data.byteOffset, data.byteLength)]);
});
await app.listen({ port: 0, host: '127.0.0.1' });
writeFileSync(`${readyFile}.partial`, JSON.stringify({ http: app.server.address().port }));
renameSync(`${readyFile}.partial`, readyFile);
process.on('SIGTERM', () => process.exit(0));
