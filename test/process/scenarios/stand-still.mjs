/** Loaded into a server before anything else: after SIGUSR2 none of its JavaScript threads but the main one does anything any more. */
import { writeSync } from 'node:fs';
import process from 'node:process';
import { isMainThread } from 'node:worker_threads';

const channel = new BroadcastChannel('stand-still');
channel.unref();
if (isMainThread) {
  process.on('SIGUSR2', () => channel.postMessage('now'));
} else {
  channel.onmessage = () => {
    const line = { level: 'info', time: new Date().toISOString(), msg: 'stands still' };
    writeSync(2, `${JSON.stringify(line)}\n`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  };
}
