import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FORMS, ProtocolClients } from '../support/protocols.js';
import { badModels, fixtureModels, optionalModels, ServerProcess, shippedModels } from '../support/server-process.js';
import { answeredCases } from './answered-cases.js';
import { refusedCases, STATUSES } from './refused-cases.js';

let server: ServerProcess;
let clients: ProtocolClients;

beforeAll(async () => {
  server = await ServerProcess.start({ repositories: [shippedModels, fixtureModels, optionalModels, badModels] });
  clients = new ProtocolClients(server);
});

afterAll(async () => {
  await clients.close();
  expect(await server.stop()).toBe(0);
});

describe.each(FORMS)('%s', (form) => {
  it.each(answeredCases.filter((one) => one.without?.[form] === undefined))('answers: $title', async (one) => {
    const answer = await clients.infer(form, one);
    expect(answer).toEqual({ model: one.model, version: '1', id: one.id ?? '', outputs: one.expected });
  });

  it.each(refusedCases.filter((one) => one.otherwise?.[form] !== null))('refuses: $title', async (one) => {
    const statuses = STATUSES[one.status];
    const status = form.startsWith('HTTP') ? statuses.http : statuses.grpc;
    expect(await clients.refusal(form, one)).toEqual({ status, text: one.otherwise?.[form] ?? one.text });
  });
});
