/** One environment that uses the engine and ends in the way its workerData names. */
import { createRequire } from 'node:module';
import { workerData } from 'node:worker_threads';
import { addon, expect, identityRequest, slowRequest, submit } from './engine.mjs';

const LONG = slowRequest(1_000_000);
const LARGE = identityRequest(new Array(4096).fill(1));

function openSink(onCompletions) {
  const sink = addon.openSink(onCompletions);
  submit(sink, 1, 'identity_fp32', LARGE);
  return sink;
}

const ENDS = {
  'the end of its work': () => {
    const sink = openSink(([{ ranges }]) => sink.release(ranges));
  },
  'process.exit': () => {
    const sink = openSink(() => process.exit(3));
    submit(sink, 2, 'slow', LONG);
    submit(sink, 3, 'slow', LONG);
  },
  'an error in the callback': () => {
    const sink = openSink(() => {
      throw new Error('thrown on purpose');
    });
    submit(sink, 2, 'slow', LONG);
  },
  'close with requests in flight': () => {
    const sink = openSink(() => sink.close());
    submit(sink, 2, 'slow', LONG);
    submit(sink, 3, 'slow', LONG);
  },
  'loading the addon twice': () => {
    const require = createRequire(import.meta.url);
    const file = require.resolve('../../../build/native/penstock.node');
    delete require.cache[file];
    const second = require(file);
    const sink = second.openSink(([{ status, ranges }]) => {
      expect(status === 0, 'an answer through the second copy');
      sink.release(ranges);
    });
    submit(sink, 1, 'identity_fp32', LARGE);
    openSink(() => {});
  },
};

ENDS[workerData]();
