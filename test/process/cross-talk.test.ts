import { describe, expect, it, onTestFinished } from 'vitest';
import { batchesOf } from '../support/busy-model.js';
import { runScenario } from '../support/scenario.js';
import { fixtureModels, ServerProcess } from '../support/server-process.js';

/** Of each protocol. */
const REQUESTS = 500_000;
const CONNECTIONS = 32;
const MINUTES = 15;

describe('a million requests with unique payloads over 64 connections and both protocols', () => {
  it('get their own rows back, each of them', { timeout: MINUTES * 60_000 }, async () => {
    const server = await ServerProcess.start({ repositories: [fixtureModels], flags: ['--front-end-threads', '2'] });
    onTestFinished(() => server.stop().then(() => {}));
    const talk = (file: string, port: number): ReturnType<typeof runScenario> =>
      runScenario(file, [String(port), String(CONNECTIONS), String(REQUESTS)], { withinMs: MINUTES * 60_000 });
    const [http, grpc] = await Promise.all([
      talk('cross-talk-http.mjs', server.ports.http),
      talk('cross-talk-grpc.mjs', server.ports.grpc),
    ]);
    const allRight = { answered: REQUESTS, wrong: 0, failed: 0 };
    expect(
      [http, grpc].map(({ stdout, stderr }) => JSON.parse(stdout === '' ? `{"error":${JSON.stringify(stderr)}}` : stdout) as unknown),
    ).toEqual([allRight, allRight]);
    // It would prove little if every request had run alone.
    expect((await batchesOf(server, 'identity_int64')).runs).toBeLessThan(1.6 * REQUESTS);
  });
});
