import { EventEmitter } from 'node:events';
import { expect, it } from 'vitest';
import { ShutdownSignals } from '../../../src/lifecycle/shutdown-signals.js';

it('keeps a signal that came before anybody waited for it', async () => {
  const source = new EventEmitter();
  const signals = new ShutdownSignals(source);
  source.emit('SIGTERM');
  expect(await signals.first).toBe('SIGTERM');
});

it.each([
  [['SIGTERM'], false],
  [['SIGTERM', 'SIGTERM'], true],
  [['SIGINT'], true],
  [['SIGTERM', 'SIGINT'], true],
])('after %j the drain delay is cut short: %s', (received, hurry) => {
  const source = new EventEmitter();
  const signals = new ShutdownSignals(source);
  for (const signal of received) source.emit(signal);
  expect(signals.hurry.aborted).toBe(hurry);
});
