/**
 * grpc-js clients that send their next request when they have their answer; records as http_load writes them.
 * Usage: grpc-load.mjs PORT CHANNELS IN_FLIGHT_EACH MESSAGE_FILE RECORDS SECONDS
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { grpcCaller } from './callers.mjs';
import { monotonicSeconds } from './processes.mjs';

const [port, channels, inFlight, messageFile, recordsFile, seconds] = process.argv.slice(2);
const message = readFileSync(messageFile);
const end = monotonicSeconds() + Number(seconds);
const records = [];

async function client(call) {
  while (monotonicSeconds() < end) {
    const sent = monotonicSeconds();
    await call();
    records.push(sent, sent, monotonicSeconds(), 200);
  }
}

const callers = await Promise.all(Array.from({ length: Number(channels) }, () => grpcCaller(Number(port), message)));
await Promise.all(callers.flatMap(({ call }) => Array.from({ length: Number(inFlight) }, () => client(call))));
writeFileSync(recordsFile, new Uint8Array(Float64Array.from(records).buffer));
process.exit(0);
