/** Server reflection, for as many questions as their client takes answers to. */
import type { handleBidiStreamingCall, Server, ServerDuplexStream, UntypedServiceImplementation } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';

type Stream = ServerDuplexStream<unknown, unknown>;
type Handler = handleBidiStreamingCall<unknown, unknown>;

/** @grpc/reflection reads on whatever waits to be taken; each answer would wait in memory. All of its methods are streams. */
export function addReflection(server: Server, ...[definitions]: ConstructorParameters<typeof ReflectionService>): void {
  const addService: Server['addService'] = (definition, implementation) => {
    const handlers = Object.entries(implementation).map(([name, handle]) => [name, pacing(handle as Handler)]);
    server.addService(definition, Object.fromEntries(handlers) as UntypedServiceImplementation);
  };
  new ReflectionService(definitions).addToServer({ addService });
}

function pacing(handle: Handler): Handler {
  return (stream: Stream) => {
    const write = stream.write.bind(stream) as (answer: unknown) => boolean;
    stream.on('drain', () => stream.resume());
    stream.write = (answer: unknown): boolean => {
      const takesMore = write(answer);
      if (!takesMore) stream.pause();
      return takesMore;
    };
    handle(stream);
  };
}
