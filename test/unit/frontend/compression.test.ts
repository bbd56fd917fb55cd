import { deflateSync, gunzipSync, gzipSync, inflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { ByteBudget, type Allotment } from '../../../src/frontend/http/byte-budget.js';
import { chooseEncoding, compress, decompress } from '../../../src/frontend/http/compression.js';

const MIB = 1024 * 1024;
const unbounded = (): Allotment => new ByteBudget(0).open();

describe('Accept-Encoding', () => {
  it.each([
    ['gzip', 'gzip'],
    ['deflate, gzip', 'deflate'],
    ['gzip;q=0.5, deflate;q=0.8', 'deflate'],
    ['gzip;q=0.5, deflate;q=0.5', 'gzip'],
    ['identity, gzip', 'identity'],
    ['identity;q=0.1, gzip;q=0.2', 'gzip'],
    ['GZIP; Q=1.000', 'gzip'],
    ['gzip;q=0', 'identity'],
    ['br, zstd', 'identity'],
    ['br;q=1, gzip;q=0.1', 'gzip'],
    ['*', 'identity'],
    ['gzip;q=2', 'identity'],
    ['gzip;q=nonsense, deflate;q=0.1', 'deflate'],
    [',,;', 'identity'],
  ])('%s chooses %s', (header, encoding) => {
    expect(chooseEncoding(header)).toBe(encoding);
  });
});

describe('compressed requests', () => {
  const text = Buffer.from('{"inputs":[]}'.repeat(100));

  it('reads gzip, gzip of several members, and zlib, in whatever pieces they come', async () => {
    const cut = (data: Buffer): Buffer[] => [data.subarray(0, 1), data.subarray(1, 7), data.subarray(7)];
    expect(Buffer.concat(await decompress(cut(gzipSync(text)), 'gzip', MIB, unbounded()))).toEqual(text);
    const members = Buffer.concat([gzipSync(text.subarray(0, 50)), gzipSync(text.subarray(50))]);
    expect(Buffer.concat(await decompress(cut(members), 'gzip', MIB, unbounded()))).toEqual(text);
    expect(Buffer.concat(await decompress(cut(deflateSync(text)), 'deflate', MIB, unbounded()))).toEqual(text);
  });

  it('stops at the limit of the decompressed size', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * MIB));
    await expect(decompress([bomb], 'gzip', MIB, unbounded())).rejects.toMatchObject({ code: 'ERR_REQUEST_TOO_LARGE' });
    expect(Buffer.concat(await decompress([gzipSync(Buffer.alloc(MIB))], 'gzip', MIB, unbounded()))).toHaveLength(MIB);
    await expect(decompress([gzipSync(Buffer.alloc(MIB + 1))], 'gzip', MIB, unbounded())).rejects.toMatchObject({
      code: 'ERR_REQUEST_TOO_LARGE',
    });
  });

  it('stops when the budget of all bodies is used up', async () => {
    const budget = new ByteBudget(MIB);
    const allotment = budget.open();
    await expect(decompress([gzipSync(Buffer.alloc(2 * MIB))], 'gzip', 8 * MIB, allotment)).rejects.toMatchObject({
      code: 'ERR_IN_FLIGHT_FULL',
    });
    allotment.close();
    expect(budget.held).toBe(0);
  });

  it.each([
    ['truncated', gzipSync(Buffer.alloc(1000, 'x')).subarray(0, 15)],
    ['with a wrong checksum', Buffer.concat([gzipSync('abc').subarray(0, -8), Buffer.alloc(8)])],
    ['no gzip at all', Buffer.from('{"inputs":[]}')],
    ['empty', Buffer.alloc(0)],
  ])('refuses data that are %s', async (_, data) => {
    await expect(decompress([data], 'gzip', MIB, unbounded())).rejects.toMatchObject({ code: 'ERR_REQUEST_COMPRESSED' });
  });
});

describe('compressed replies', () => {
  it('hold the parts one after the other', async () => {
    const parts = [Buffer.from('head'), Buffer.alloc(200_000, 7), Buffer.alloc(0), Buffer.from('tail')];
    expect(gunzipSync(Buffer.concat(await compress(parts, 'gzip'))).equals(Buffer.concat(parts))).toBe(true);
    expect(inflateSync(Buffer.concat(await compress(parts, 'deflate'))).equals(Buffer.concat(parts))).toBe(true);
  });
});
