/** Rolling updates of four servers behind HAProxy, as a Deployment makes them, under load. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { CountedLoad } from '../support/counted-load.js';
import { freePorts } from '../support/free-ports.js';
import { logLines } from '../support/log-lines.js';
import { modelFolder } from '../support/model-folder.js';
import { ServerProcess, type ServerPorts } from '../support/server-process.js';
import { CHECK_INTERVAL_MS, HaProxy } from './haproxy.js';

const REPLICAS = 4;
const ROLLOUTS = 20;
/** Four in service, one that starts beside them, and one that is still on its way out. */
const SLOTS = REPLICAS + 2;
/** Not ready, but serving: until the check that notices, and a bit. */
const DRAIN_DELAY_SECS = (3 * CHECK_INTERVAL_MS) / 1000;
/** Less, and the load takes the two cores of a small machine from the servers that start. */
const PAUSE_MS = 10;

interface Replica {
  readonly slot: ServerPorts;
  readonly server: ServerProcess;
}

/** A Deployment that is the only one to start and stop servers, in slots that HAProxy knows. */
class Deployment {
  readonly #repository: string;
  readonly #freeSlots: ServerPorts[];
  readonly #replicas: Replica[] = [];
  readonly #leaving = new Set<Promise<void>>();
  /** What was wrong with the ends of servers. */
  readonly complaints: string[] = [];

  constructor(repository: string, slots: readonly ServerPorts[]) {
    this.#repository = repository;
    this.#freeSlots = [...slots];
  }

  async start(): Promise<void> {
    const slot = await this.#takeSlot();
    const ports = ['--http-port', slot.http, '--grpc-port', slot.grpc, '--metrics-port', slot.management].map(String);
    const limits = ['--drain-delay-secs', String(DRAIN_DELAY_SECS), '--cpu-threads', '1', '--front-end-threads', '1'];
    this.#replicas.push({ slot, server: await ServerProcess.start({ repositories: [this.#repository], flags: [...ports, ...limits] }) });
  }

  /** Ends the oldest server, and goes on meanwhile. */
  endOldest(): void {
    const replica = this.#replicas.shift();
    if (replica === undefined) throw new Error('there is no server to end');
    const left = this.#end(replica).finally(() => this.#leaving.delete(left));
    this.#leaving.add(left);
  }

  async end(): Promise<void> {
    while (this.#replicas.length > 0) this.endOldest();
    await Promise.all(this.#leaving);
  }

  async #takeSlot(): Promise<ServerPorts> {
    while (this.#freeSlots.length === 0) await Promise.race(this.#leaving);
    return this.#freeSlots.shift() as ServerPorts;
  }

  async #end({ slot, server }: Replica): Promise<void> {
    const code = await server.stop();
    const warnings = logLines(server).filter(({ level }) => level !== 'info');
    if (code !== 0 || warnings.length > 0) this.complaints.push(`exit code ${code}, ${JSON.stringify(warnings)}`);
    this.#freeSlots.push(slot);
  }
}

it(`replaces four servers behind HAProxy ${ROLLOUTS} times without one failed request`, async () => {
  const ports = await freePorts(3 * SLOTS);
  const slots = Array.from({ length: SLOTS }, (_, i) => {
    const [http = 0, grpc = 0, management = 0] = ports.slice(3 * i, 3 * i + 3);
    return { http, grpc, management };
  });
  const deployment = new Deployment(modelFolder({ 'add_sub/1/model.onnx': { copyOf: 'models/add_sub/1/model.onnx' } }), slots);
  onTestFinished(() => deployment.end());
  for (let i = 0; i < REPLICAS; i++) await deployment.start();
  const proxy = await HaProxy.start(slots);
  onTestFinished(() => proxy.stop());
  await proxy.untilUp(REPLICAS);

  const load = new CountedLoad({ http: proxy.httpAddress, grpc: proxy.grpcAddress, pauseMs: PAUSE_MS });
  for (let i = 0; i < 6; i++) load.addHttp();
  for (let i = 0; i < 3; i++) load.addGrpc(2);
  const startedMs = performance.now();
  for (let rollout = 1; rollout <= ROLLOUTS; rollout++) {
    // maxSurge 1 and maxUnavailable 0, then the other way round: a node without room for one more.
    const isSurging = rollout % 2 === 1;
    for (let i = 0; i < REPLICAS; i++) {
      if (!isSurging) deployment.endOldest();
      await deployment.start();
      await proxy.untilUp(REPLICAS + (isSurging ? 1 : 0));
      if (isSurging) deployment.endOldest();
    }
    const { http, grpc } = load.answered;
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
    console.log(`rollout ${rollout} of ${ROLLOUTS}, ${seconds} s: ${http} HTTP and ${grpc} gRPC answers, ${load.failures.length} failures`);
  }
  await sleep(500);
  await load.stop();
  await deployment.end();
  expect(load.failures).toEqual([]);
  expect(deployment.complaints).toEqual([]);
  expect(Math.min(load.answered.http, load.answered.grpc)).toBeGreaterThan(100 * ROLLOUTS);
  // Clients of HAProxy keep their connections through every rollout.
  expect(load.grpcClients.map(({ connections }) => connections)).toEqual([1, 1, 1]);
}, 900_000);
