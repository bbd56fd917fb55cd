import { expect, it } from 'vitest';
import { retryTrailers } from '../../../src/frontend/grpc/retry-info.js';

it('writes RetryInfo into the trailer that clients look for, with the field numbers of googleapis', () => {
  const [trailer] = retryTrailers(14, 'm', 2250).get('grpc-status-details-bin');
  const url = Buffer.from('type.googleapis.com/google.rpc.RetryInfo');
  // google.rpc.RetryInfo { 1: google.protobuf.Duration { 1: 2 (seconds), 2: 250000000 (nanoseconds) } }
  const retryInfo = Buffer.from('0a0708021080e59a77', 'hex');
  // google.rpc.Status { 1: 14 (code), 2: "m" (message), 3: google.protobuf.Any { 1: the URL, 2: the above } }
  const any = Buffer.concat([Buffer.of(0x0a, url.length), url, Buffer.of(0x12, retryInfo.length), retryInfo]);
  expect(trailer).toEqual(Buffer.concat([Buffer.of(0x08, 14, 0x12, 1, 0x6d, 0x1a, any.length), any]));
});
