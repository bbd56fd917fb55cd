/** The model of the run over the protocol of the run: what it looks like, and requests to it whose outcomes are counted. */
import exec from 'k6/execution';
import { Counter, Rate } from 'k6/metrics';
import { faultOf } from './answer-check.js';
import * as overGrpc from './infer-grpc.js';
import * as overHttp from './infer-http.js';
import { PROTOCOL } from './settings.js';

const protocol = PROTOCOL === 'grpc' ? overGrpc : overHttp;
export const { LATENCY } = protocol;

/** Every request is one sample of each; refused ones are also failed where refusals are not allowed. */
const failed = new Rate('answers_failed');
const wrong = new Rate('answers_wrong');
const refused = new Rate('answers_refused');
const right = new Counter('answers_right');
const connectionErrors = new Counter('connection_errors');

/** What goes wrong is said once by each virtual user, so that the log stays readable. */
let hasSpoken = false;

/** k6's `setup`: the model's metadata, once a first request of each kind has been answered. Aborts the run (code 108) otherwise. */
export function prepare(requests = [{ rows: 1, kind: 'single' }]) {
  const { model, problem } = protocol.describe();
  if (problem !== undefined) exec.test.abort(problem);
  for (const request of requests) {
    if (request.rows > 1 && !model.takesBatches)
      exec.test.abort(`model ${model.name} takes no batches: its metadata has a fixed first dimension`);
    const outcome = outcomeOf(model, request);
    if (outcome.kind !== 'right') exec.test.abort(`the first request of ${request.rows} rows is ${outcome.kind}: ${outcome.problem}`);
  }
  return model;
}

/** Sends one request and counts its outcome. `mayRefuse`: "come back later" is an answer too. */
export function send(model, { mayRefuse = false, ...request }) {
  const { kind, problem } = outcomeOf(model, request);
  const tags = { kind: request.kind };
  const isFailure = kind === 'failed' || kind === 'unreachable' || (kind === 'refused' && !mayRefuse);
  failed.add(isFailure, tags);
  wrong.add(kind === 'wrong', tags);
  refused.add(kind === 'refused', tags);
  if (kind === 'right') right.add(1, tags);
  if (kind === 'unreachable') connectionErrors.add(1, tags);
  if ((isFailure || kind === 'wrong') && !hasSpoken) {
    hasSpoken = true;
    console.error(`${kind}: ${problem}`);
  }
}

/** right, wrong, refused, unreachable or failed; and why, unless right. */
function outcomeOf(model, request) {
  const { answer, problem, isRefusal, isUnreachable } = protocol.infer(model, request);
  if (answer !== undefined) {
    const fault = answer.fault || faultOf(model, request.rows, answer);
    return fault === '' ? { kind: 'right' } : { kind: 'wrong', problem: fault };
  }
  return { kind: isUnreachable ? 'unreachable' : isRefusal ? 'refused' : 'failed', problem };
}
