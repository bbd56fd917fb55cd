import { expect, it } from 'vitest';
import { progressFields } from '../../../src/download/progress.js';

it('says how far a download is, and how long it will take at the pace of the last seconds', () => {
  expect(progressFields(250, 1000, 100, 5000)).toEqual({
    bytes: 250,
    total_bytes: 1000,
    percent: 25,
    bytes_per_second: 20,
    seconds_left: 38,
  });
});

it('leaves out what is not known', () => {
  expect(progressFields(250, null, 100, 5000)).toEqual({ bytes: 250, bytes_per_second: 20 });
  expect(progressFields(250, 1000, 0, 5000)).toEqual({ bytes: 250, total_bytes: 1000, percent: 25, bytes_per_second: 0 });
  expect(progressFields(0, 0, 0, 0)).toEqual({ bytes: 0, total_bytes: 0, percent: 100, bytes_per_second: 0 });
});
