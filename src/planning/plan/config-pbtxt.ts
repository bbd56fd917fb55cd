/** The chosen settings as a config.pbtxt: the model's own configuration with the fields replaced that the plan has decided. */
import { settledConfig, without, type Fields as Message } from '../measure/settled-config.js';
import type { LatencyGoal } from '../measure/trial.js';
import type { ServerSettings } from '../server-settings.js';

/** Our own parameter; Triton has no field for it. */
const LATENCY_GOAL = 'latency_goal_ms';
/** A server refuses what would miss the goal. Where the goal allows many to be later, that is not what was asked for. */
export const LEAST_PERCENTILE = 95;
/** Fields of Triton whose values are names, which pbtxt writes without quotes. Everything else that is a text is quoted. */
const NAMES = new Set(['data_type', 'format', 'kind', 'timeout_action', 'priority']);
/** Whole numbers, which JSON may have as texts. */
const INTEGERS = new Set([
  ...['dims', 'versions', 'num_versions', 'shape', 'default_timeout_microseconds', 'max_queue_delay_microseconds'],
  ...['priority_levels', 'default_priority_level'],
]);
/** Maps of Triton: messages of key and value in pbtxt, plain objects in JSON. */
const MAPS = new Set(['parameters', 'cc_model_filenames', 'metric_tags', 'priority_queue_policy', 'inputs', 'properties']);

/** `config`: what the model has, parsed; null = nothing. `header`: lines of a comment. */
export function configPbtxt(
  name: string,
  config: Message | null,
  settings: ServerSettings,
  goal: LatencyGoal,
  header: readonly string[],
): string {
  const lines = header.map((line) => `# ${line}`.trimEnd());
  return `${[...lines, ...fieldsOf(chosenConfig(name, config, settings, goal), '')].join('\n')}\n`;
}

/** As a tree; what the user has besides stays. */
export function chosenConfig(name: string, config: Message | null, settings: ServerSettings, goal: LatencyGoal): Message {
  const settled = settledConfig(config, settings);
  return {
    name,
    ...(config === null && { backend: 'onnxruntime' }),
    ...without(settled, 'name', 'parameters'),
    ...parametersOf(settled['parameters'], goal),
  };
}

/** In pbtxt's form: a list of keys and values. */
function parametersOf(given: unknown, { percentile, latencyMs }: LatencyGoal): Message {
  const entries = isMessage(given) && !('key' in given) ? entriesOf(given) : listOf(given).filter(isMessage);
  if (percentile < LEAST_PERCENTILE) return entries.length === 0 ? {} : { parameters: entries };
  const others = entries.filter(({ key }) => key !== LATENCY_GOAL);
  return { parameters: [...others, { key: LATENCY_GOAL, value: { string_value: plainNumber(latencyMs) } }] };
}

/** Without an exponent, which a configuration may not have there. */
function plainNumber(value: number): string {
  return value.toFixed(6).replace(/\.?0+$/, '');
}

function fieldsOf(message: Message, indent: string): string[] {
  return Object.entries(message).flatMap(([name, value]) => {
    if (value === undefined || value === null) return [];
    if (MAPS.has(name) && isMessage(value) && !('key' in value)) {
      // Keys of this one are numbers.
      const key = (text: string): string | number => (name === 'priority_queue_policy' ? Number(text) : text);
      return Object.entries(value).flatMap(([text, item]) => fieldOf(name, { key: key(text), value: item }, indent));
    }
    if (!Array.isArray(value)) return fieldOf(name, value, indent);
    // An empty list is not the same as none: dims: [ ] is a scalar.
    if (!value.some(isMessage))
      return [`${indent}${name}: [ ${value.map((item) => scalar(name, item)).join(', ')} ]`.replace('[  ]', '[ ]')];
    return value.flatMap((item) => fieldOf(name, item, indent));
  });
}

function fieldOf(name: string, value: unknown, indent: string): string[] {
  if (!isMessage(value)) return [`${indent}${name}: ${scalar(name, value)}`];
  const fields = fieldsOf(value, `${indent}  `);
  return fields.length === 0 ? [`${indent}${name} { }`] : [`${indent}${name} {`, ...fields, `${indent}}`];
}

function entriesOf(map: Message): readonly Message[] {
  return Object.entries(map).map(([key, value]) => ({ key, value }));
}

function scalar(name: string, value: unknown): string {
  if (typeof value !== 'string') return String(value);
  const isPlain = (NAMES.has(name) && /^[A-Za-z_]\w*$/.test(value)) || (INTEGERS.has(name) && /^-?\d+$/.test(value));
  // JSON's escapes are among those of pbtxt.
  return isPlain ? value : JSON.stringify(value);
}

function isMessage(value: unknown): value is Message {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : value === undefined ? [] : [value];
}
