/** Starts the engine, or uses the one that another worker started. */
import { workerData } from 'node:worker_threads';
import { addon, expect, identityRequest, serve, submit } from './engine.mjs';

if (workerData === 'start') await serve(['identity_fp32']);
const sink = addon.openSink(([{ status }]) => expect(status === 0, 'an answer'));
submit(sink, 1, 'identity_fp32', identityRequest([1]));
