/** A model's own configuration with the fields replaced that a plan decides: the same for what is measured and for what is written. */
import { PAD_TO_LONGEST } from '../../models/pad-to-longest.js';
import type { ServerSettings } from '../server-settings.js';

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
export function settledConfig(config: Fields | null, { maxBatchSize, lanes, maxQueueDelayUs }: ServerSettings): Fields {
  const [batching] = messagesOf(config?.['dynamic_batching']);
  const isBatched = maxBatchSize > 0 && (batching !== undefined || maxQueueDelayUs !== null);
  return {
    ...without(config ?? {}, 'dynamic_batching', 'max_batch_size', 'instance_group'),
    max_batch_size: maxBatchSize,
    instance_group: [{ ...messagesOf(config?.['instance_group'])[0], count: lanes }],
    ...(isBatched && batching === undefined && config !== null && { parameters: unpadded(config['parameters']) }),
    ...(isBatched && {
      dynamic_batching: {
        ...without(batching ?? {}, ...DECIDED_BATCHING),
        ...(maxQueueDelayUs !== null && { max_queue_delay_microseconds: maxQueueDelayUs }),
      },
    }),
  };
}

/** In the form that they have. */
function unpadded(parameters: unknown): unknown {
  const isPadding = ({ key }: Fields): boolean => key === PAD_TO_LONGEST;
  if (Array.isArray(parameters)) return (parameters as readonly Fields[]).filter((entry) => !isPadding(entry));
  const [message] = messagesOf(parameters);
  if (message === undefined || isPadding(message)) return [];
  return typeof message['key'] === 'string' ? message : without(message, PAD_TO_LONGEST);
}

export function without(fields: Fields, ...names: readonly string[]): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name)));
}

/** A field that may be given once or as a list. */
export function messagesOf(value: unknown): readonly Fields[] {
  return (Array.isArray(value) ? value : value === undefined || value === null ? [] : [value]) as readonly Fields[];
}
