/** A model's own configuration with the fields replaced that a plan decides: the same for what is measured and for what is written. */
import { PAD_TO_LONGEST } from '../../models/pad-to-longest.js';
import type { Precision, ServerSettings } from '../server-settings.js';

/** A configuration as parsePbtxt or JSON has it. */
export type Fields = Readonly<Record<string, unknown>>;

/** These say when a batch starts, and the settings decide that. */
const DECIDED_BATCHING = ['max_queue_delay_microseconds', 'preferred_batch_size'];

/**
 * One instance group: several are measured as one, with the kind, GPUs and other fields of the first.
 *
 * A batcher vouches that rows do not depend on each other. It stands there only where the model's own configuration has one, or where the
 * settings have a delay, which is tried only of models whose rows the server itself has found to be independent. A model without a
 * configuration keeps the server's own check, and a whole configuration without a batcher stays without one. That rows do not feel their
 * padding a new batcher must not vouch for: only their independence was found.
 */
export function settledConfig(config: Fields | null, { maxBatchSize, lanes, maxQueueDelayUs, precision }: ServerSettings): Fields {
  const [batching] = messagesOf(config?.['dynamic_batching']);
  const isBatched = maxBatchSize > 0 && (batching !== undefined || maxQueueDelayUs !== null);
  return {
    ...without(config ?? {}, 'dynamic_batching', 'max_batch_size', 'instance_group'),
    max_batch_size: maxBatchSize,
    instance_group: [{ ...messagesOf(config?.['instance_group'])[0], count: lanes }],
    ...(isBatched && batching === undefined && config !== null && { parameters: replaced(config['parameters'], PAD_TO_LONGEST) }),
    ...(precision !== undefined && { optimization: withPrecision(config?.['optimization'], precision) }),
    ...(isBatched && {
      dynamic_batching: {
        ...without(batching ?? {}, ...DECIDED_BATCHING),
        ...(maxQueueDelayUs !== null && { max_queue_delay_microseconds: maxQueueDelayUs }),
      },
    }),
  };
}

/** All else that it says of GPUs stays. */
function withPrecision(optimization: unknown, precision: Precision): Fields {
  const [message = {}] = messagesOf(optimization);
  const [accelerators = {}] = messagesOf(message['execution_accelerators']);
  const given = messagesOf(accelerators['gpu_execution_accelerator']);
  // Of several the last one counts, so that it has to stay the last.
  const cuda = given.findLast(({ name }) => name === 'cuda') ?? { name: 'cuda' };
  const parameters = replaced(cuda['parameters'], 'use_tf32', precision === 'tf32' ? '1' : '0');
  const gpu = [...given.filter((other) => other !== cuda), { ...cuda, parameters }];
  return { ...message, execution_accelerators: { ...accelerators, gpu_execution_accelerator: gpu } };
}

/** A map without the key, or with this value of it, as messages of key and value; it may consist of such or of fields. */
function replaced(map: unknown, key: string, value?: string): readonly Fields[] {
  const entries = messagesOf(map).flatMap((message): readonly Fields[] =>
    typeof message['key'] === 'string' ? [message] : Object.entries(message).map(([name, of]) => ({ key: name, value: of })),
  );
  return [...entries.filter((entry) => entry['key'] !== key), ...(value === undefined ? [] : [{ key, value }])];
}

export function without(fields: Fields, ...names: readonly string[]): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name)));
}

/** A field that may be given once or as a list. */
export function messagesOf(value: unknown): readonly Fields[] {
  return (Array.isArray(value) ? value : value === undefined || value === null ? [] : [value]) as readonly Fields[];
}
