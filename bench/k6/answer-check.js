/** Whether an answer has the form that the model's metadata promises. */
import { ELEMENT_BYTES, elementsOf } from './sample-request.js';

/**
 * What is wrong with an answer to a request of `rows`, or ''. Each output comes with `bytes`, the size of its binary form, or with
 * `elements`, the number of them in JSON.
 */
export function faultOf(model, rows, { modelName, outputs }) {
  if (modelName !== model.name) return `the answer is of model ${modelName}`;
  const names = outputs.map(({ name }) => name);
  const expected = model.outputs.map(({ name }) => name);
  if ([...names].sort().join() !== [...expected].sort().join()) return `the outputs are ${names.join()} instead of ${expected.join()}`;
  for (const output of outputs) {
    const fault = faultOfOutput(
      model.outputs.find(({ name }) => name === output.name),
      model.takesBatches ? rows : undefined,
      output,
    );
    if (fault !== '') return `output ${output.name} ${fault}`;
  }
  return '';
}

function faultOfOutput(promised, rows, { datatype, shape, bytes, elements }) {
  if (datatype !== promised.datatype) return `is ${datatype} instead of ${promised.datatype}`;
  const isFit = (dim, axis) => (axis === 0 && rows !== undefined ? dim === rows : promised.shape[axis] < 0 || dim === promised.shape[axis]);
  if (shape.length !== promised.shape.length || !shape.every(isFit)) {
    return `has shape [${shape}] instead of [${promised.shape}]${rows === undefined ? '' : ` with ${rows} rows`}`;
  }
  const count = elementsOf(shape);
  if (elements !== undefined) return elements === count ? '' : `has ${elements} elements in shape [${shape}]`;
  const size = count * ELEMENT_BYTES[datatype];
  const isSize = datatype === 'BYTES' ? bytes >= size : bytes === size;
  return isSize ? '' : `has ${bytes} bytes in shape [${shape}]`;
}
