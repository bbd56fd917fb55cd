import { describe, expect, it } from 'vitest';
import { answerWithoutData } from '../../../../src/planning/load/response-prefix.js';

/** A field of texts, bytes or messages. */
function field(number: number, content: Buffer | string): Buffer {
  const bytes = Buffer.from(content);
  const length = bytes.length < 128 ? [bytes.length] : [(bytes.length % 128) + 128, Math.floor(bytes.length / 128)];
  return Buffer.concat([Buffer.from([number * 8 + 2, ...length]), bytes]);
}

const head = Buffer.concat([field(1, 'digits'), field(2, '1')]);
const outputs = Buffer.concat([field(5, field(1, 'scores')), field(5, field(1, 'x'.repeat(300)))]);

describe('the part of an answer that does not depend on its data', () => {
  it('ends where the raw tensors begin', () => {
    const answer = Buffer.concat([head, outputs, field(6, 'data'), field(6, 'more')]);
    expect(answerWithoutData(answer)).toEqual(Buffer.concat([head, outputs]));
  });

  it('ends where the outputs begin when they hold the data', () => {
    expect(answerWithoutData(Buffer.concat([head, outputs]))).toEqual(head);
  });

  it('is all of an answer without outputs', () => {
    expect(answerWithoutData(head)).toEqual(head);
  });

  it.each([
    ['a number', Buffer.from([8, 1])],
    ['a field that is cut', head.subarray(0, -1)],
    ['a length that is cut', Buffer.from([10, 255])],
    ['a length without an end', Buffer.from([10, 255, 255, 255, 255, 255, 1])],
  ])('is nothing of %s, which no answer has', (_, bytes) => {
    expect(answerWithoutData(bytes)).toEqual(new Uint8Array());
  });
});
