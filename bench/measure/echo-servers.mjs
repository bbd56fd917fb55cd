/** A plain node:http and a plain grpc-js server that read a message and answer with a fixed one. Usage: echo-servers.mjs HTTP_BYTES GRPC_BYTES READY_FILE */
import { renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import grpc from '@grpc/grpc-js';

const [httpBytes, grpcBytes, readyFile] = process.argv.slice(2);
const httpReply = Buffer.alloc(Number(httpBytes), 0x20);
const grpcReply = Buffer.alloc(Number(grpcBytes));

const web = createServer((request, response) => {
  request.on('data', () => {});
  request.on('end', () => {
    response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': httpReply.length });
    response.end(httpReply);
  });
});

const same = (bytes) => bytes;
const rpc = new grpc.Server();
rpc.addService(
  {
    ModelInfer: {
      path: '/inference.GRPCInferenceService/ModelInfer',
      requestStream: false,
      responseStream: false,
      requestSerialize: same,
      requestDeserialize: same,
      responseSerialize: same,
      responseDeserialize: same,
    },
  },
  { ModelInfer: (_call, answer) => answer(null, grpcReply) },
);

web.listen(0, '127.0.0.1', () => {
  rpc.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error;
    writeFileSync(`${readyFile}.partial`, JSON.stringify({ http: web.address().port, grpc: port }));
    renameSync(`${readyFile}.partial`, readyFile);
  });
});
process.on('SIGTERM', () => process.exit(0));
