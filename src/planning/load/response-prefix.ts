/** The part of a ModelInferResponse that does not depend on its tensors' data, as bytes. */

/** Numbers of its fields (proto/grpc_service.proto). */
const OUTPUTS = 5;
const RAW_OUTPUT_CONTENTS = 6;

/**
 * Everything before the raw tensors; fields travel in the order of their numbers. A server that puts the data into the outputs instead has
 * nothing but what comes before those. Empty when `message` is not one.
 */
export function answerWithoutData(message: Uint8Array): Uint8Array {
  let outputsAt = message.length;
  for (let at = 0; at < message.length;) {
    const field = readField(message, at);
    if (field === undefined) return new Uint8Array();
    if (field.number === RAW_OUTPUT_CONTENTS) return message.subarray(0, at);
    if (field.number === OUTPUTS) outputsAt = Math.min(outputsAt, at);
    at = field.end;
  }
  return message.subarray(0, outputsAt);
}

/** All fields of this message are texts, bytes or messages: their length stands before them. */
function readField(message: Uint8Array, at: number): { readonly number: number; readonly end: number } | undefined {
  const tag = readVarint(message, at);
  if (tag === undefined || tag.value % 8 !== 2) return undefined;
  const length = readVarint(message, tag.end);
  if (length === undefined || length.end + length.value > message.length) return undefined;
  return { number: Math.floor(tag.value / 8), end: length.end + length.value };
}

function readVarint(message: Uint8Array, at: number): { readonly value: number; readonly end: number } | undefined {
  let value = 0;
  for (let i = 0; i < 5; ++i) {
    const byte = message[at + i];
    if (byte === undefined) return undefined;
    value += (byte % 128) * 2 ** (7 * i);
    if (byte < 128) return { value, end: at + i + 1 };
  }
  return undefined;
}
