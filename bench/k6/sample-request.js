/**
 * Requests for any model, made from its metadata: every unknown dimension 1, the first one the rows, every element zero.
 *
 * k8s/jobs/load-test/load-test.js has its own smaller form of this: a kustomization takes no file from above its folder, and a ConfigMap
 * is to hold one script that a reader can change with kubectl.
 */

/** Strings have four bytes each: the length of the empty string. */
export const ELEMENT_BYTES = {
  BOOL: 1,
  INT8: 1,
  UINT8: 1,
  INT16: 2,
  UINT16: 2,
  FP16: 2,
  BF16: 2,
  INT32: 4,
  UINT32: 4,
  FP32: 4,
  BYTES: 4,
  INT64: 8,
  UINT64: 8,
  FP64: 8,
};

export const elementsOf = (shape) => shape.reduce((product, dim) => product * dim, 1);

const tensor = ({ name, datatype, shape }) => ({ name, datatype, shape: shape.map(Number) });

/** `metadata` as HTTP or gRPC gives it, where 64-bit numbers are texts. A model takes batches when the first dimension of all is open. */
export function modelOf({ name, inputs, outputs }) {
  const model = { name, inputs: inputs.map(tensor), outputs: outputs.map(tensor) };
  return { ...model, takesBatches: [...model.inputs, ...model.outputs].every(({ shape }) => shape[0] === -1) };
}

/** The inputs of a request, each with the size of its bytes, which are all zero. */
export function sampleInputs(model, rows) {
  return model.inputs.map(({ name, datatype, shape }) => {
    const known = shape.map((dim, axis) => (dim >= 0 ? dim : axis === 0 ? rows : 1));
    return { name, datatype, shape: known, bytes: elementsOf(known) * ELEMENT_BYTES[datatype] };
  });
}
