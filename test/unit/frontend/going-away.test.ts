import { Socket } from 'node:net';
import type { Server } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import { GoingAway } from '../../../src/frontend/grpc/going-away.js';

it('a grpc-js that keeps its sessions elsewhere costs a client the notice, not its connection', () => {
  for (const internals of [{}, { http2Servers: new Map([['server', {}]]) }]) {
    const goingAway = new GoingAway(internals as unknown as Server);
    expect(() => goingAway.add(new Socket())).not.toThrow();
    goingAway.tell();
  }
});
