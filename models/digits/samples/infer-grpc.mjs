// Sends seven.grpc.json to a running server over gRPC and prints the label. Usage: node infer-grpc.mjs [host:port]
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

const beside = (path) => fileURLToPath(new URL(path, import.meta.url));
const definition = loadSync('grpc_service.proto', { includeDirs: [beside('../../../proto')], keepCase: true });
const { GRPCInferenceService } = grpc.loadPackageDefinition(definition).inference;

const request = JSON.parse(readFileSync(beside('seven.grpc.json'), 'utf8'));
request.raw_input_contents = request.raw_input_contents.map((text) => Buffer.from(text, 'base64'));

const client = new GRPCInferenceService(process.argv[2] ?? 'localhost:8001', grpc.credentials.createInsecure());
client.ModelInfer(request, (error, response) => {
  client.close();
  if (error) {
    console.error(`ModelInfer failed: ${error.message}`);
    process.exitCode = 1;
    return;
  }
  const label = response.outputs.findIndex((output) => output.name === 'label');
  console.log(`label: ${response.raw_output_contents[label].readBigInt64LE()}`);
});
