import { describe, expect, it } from 'vitest';
import { readInferHeaders } from '../../../src/frontend/http/infer-headers.js';

const JSON_BYTES = 'Inference-Header-Content-Length';

describe('the headers of an infer request', () => {
  it('are all optional', () => {
    const none = { jsonBytes: -1, contentLength: -1, chunked: false, bodyEncoding: 'identity', replyEncoding: 'identity' };
    expect(readInferHeaders(['Host', 'x', '__proto__', 'y'])).toEqual(none);
  });

  it('are found in any case', () => {
    expect(
      readInferHeaders([
        'INFERENCE-HEADER-CONTENT-LENGTH',
        '7',
        'content-length',
        '12',
        'Content-ENCODING',
        'GZip',
        'accept-encoding',
        'deflate',
      ]),
    ).toEqual({ jsonBytes: 7, contentLength: 12, chunked: false, bodyEncoding: 'gzip', replyEncoding: 'deflate' });
  });

  it.each(['0', '5', '007', '9007199254740991'])('take %s for a number of JSON bytes', (value) => {
    expect(readInferHeaders([JSON_BYTES, value]).jsonBytes).toBe(Number(value));
  });

  it.each([
    '',
    '-1',
    '+5',
    '0x10',
    '1e3',
    '5 5',
    '5,5',
    '1.0',
    '٥',
    '9007199254740992',
    '9007199254740993',
    '99999999999999999',
    '9223372036854775808',
  ])("refuse '%s' as a number of JSON bytes", (value) => {
    expect(() => readInferHeaders([JSON_BYTES, value])).toThrow(expect.objectContaining({ code: 'ERR_REQUEST_HEADER' }));
  });

  it('may repeat the number of JSON bytes, but not contradict it', () => {
    expect(readInferHeaders([JSON_BYTES, '5', JSON_BYTES, '5']).jsonBytes).toBe(5);
    expect(() => readInferHeaders([JSON_BYTES, '5', JSON_BYTES, '6'])).toThrow(expect.objectContaining({ code: 'ERR_REQUEST_HEADER' }));
  });

  it.each([
    ['', 'identity'],
    ['identity', 'identity'],
    [' Deflate ', 'deflate'],
    ['identity, gzip', 'gzip'],
  ])("read the body encoding '%s' as %s", (value, encoding) => {
    expect(readInferHeaders(['Content-Encoding', value]).bodyEncoding).toBe(encoding);
  });

  it.each([['br'], ['gzip, gzip'], ['gzip, deflate'], ['x-gzip'], ['gzip', 'gzip']])('refuse the body encodings %s', (...values) => {
    const headers = values.flatMap((value) => ['Content-Encoding', value]);
    expect(() => readInferHeaders(headers)).toThrow(expect.objectContaining({ code: 'ERR_REQUEST_ENCODING' }));
  });
});
