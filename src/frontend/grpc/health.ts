/** grpc.health.v1.Health, for Kubernetes' gRPC probes and for load balancers. Serving means ready. */
import {
  status,
  type ServerWritableStream,
  type sendUnaryData,
  type ServerUnaryCall,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { currentHealth } from '../../bridge/health-snapshot.js';
import type { HealthWatch } from '../health-watch.js';
import { INFERENCE_SERVICE } from './definitions.js';
import { statusDetails } from './status.js';

interface HealthRequest {
  readonly service: string;
}

interface HealthResponse {
  readonly status: 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN';
}

/** Empty asks about the server as a whole. */
const KNOWN_SERVICES: ReadonlySet<string> = new Set(['', INFERENCE_SERVICE]);

/** The name may become known one day, so the protocol keeps such a stream open as well. */
const SERVICE_UNKNOWN: HealthResponse = { status: 'SERVICE_UNKNOWN' };

export class HealthService {
  readonly #watch: HealthWatch;
  /** Open Watch calls, each with the call that ends its subscription. */
  readonly #streams = new Map<ServerWritableStream<HealthRequest, HealthResponse>, () => void>();
  #closed = false;

  constructor(watch: HealthWatch) {
    this.#watch = watch;
  }

  get implementation(): UntypedServiceImplementation {
    return {
      Check: (call: ServerUnaryCall<HealthRequest, HealthResponse>, send: sendUnaryData<HealthResponse>) => {
        const { service } = call.request;
        if (KNOWN_SERVICES.has(service)) send(null, response(currentHealth().ready));
        else send({ code: status.NOT_FOUND, details: statusDetails(`unknown service '${service}'`) });
      },
      Watch: (call: ServerWritableStream<HealthRequest, HealthResponse>) => this.#watchService(call),
    };
  }

  /** Ends every Watch, so that their connections can end. May be repeated. */
  close(): void {
    this.#closed = true;
    for (const [stream, stop] of this.#streams) {
      stop(); // A change must not be written to a stream that has ended.
      stream.write({ status: 'NOT_SERVING' });
      stream.end();
    }
    this.#streams.clear();
  }

  #watchService(call: ServerWritableStream<HealthRequest, HealthResponse>): void {
    const known = KNOWN_SERVICES.has(call.request.service);
    if (this.#closed) {
      call.write(known ? response(false) : SERVICE_UNKNOWN);
      call.end();
      return;
    }
    const stop = known ? this.#watch.onChange((ready) => call.write(response(ready))) : (): void => {};
    this.#streams.set(call, stop);
    // Changes are reported from this answer on, so both come from the same place.
    call.write(known ? response(this.#watch.ready) : SERVICE_UNKNOWN);
    call.once('cancelled', () => {
      stop();
      this.#streams.delete(call);
    });
  }
}

function response(ready: boolean): HealthResponse {
  return { status: ready ? 'SERVING' : 'NOT_SERVING' };
}
