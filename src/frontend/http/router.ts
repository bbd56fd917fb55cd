/** Path and verb -> route. Pure; no regular expression sees the whole path. */
import { isProbePath } from '../../bridge/probe-answers.js';
import { ServerError } from '../../errors.js';

/** One model and version out of a path; empty version = the default. */
export interface ModelPath {
  readonly model: string;
  readonly version: string;
}

export type Route =
  | { readonly kind: 'probe'; readonly path: string }
  | { readonly kind: 'server-metadata' }
  | ({ readonly kind: 'infer' } & ModelPath)
  | ({ readonly kind: 'model-metadata' | 'model-ready' | 'model-config' | 'model-statistics' } & ModelPath)
  /** A route of the protocol that this server does not offer. */
  | { readonly kind: 'not-offered'; readonly feature: string };

type ModelRouteKind = Extract<Route, ModelPath>['kind'];

const READ = 'GET, HEAD';
const WRITE = 'POST';
const EITHER = 'GET, HEAD, POST';

const MODEL_ACTIONS: ReadonlyMap<string, { readonly kind: ModelRouteKind; readonly allow: string }> = new Map([
  ['ready', { kind: 'model-ready', allow: READ }],
  ['config', { kind: 'model-config', allow: READ }],
  ['stats', { kind: 'model-statistics', allow: READ }],
  ['infer', { kind: 'infer', allow: WRITE }],
]);

/** A route for another verb: carries what the `Allow` header must say. */
export class MethodError extends ServerError {
  readonly allow: string;
  constructor(allow: string) {
    super('ERR_ROUTE_METHOD', 'Method Not Allowed');
    this.allow = allow;
  }
}

/**
 * `target` is the request target as received; its query is ignored. Throws ERR_ROUTE_UNKNOWN, `MethodError`, and ERR_REQUEST_FIELD for a
 * model name that is not percent-encoded UTF-8.
 */
export function findRoute(method: string, target: string): Route {
  const path = pathOf(target);
  if (path.startsWith('/v2/models/')) return modelRoute(method, path.split('/').slice(3));
  if (isProbePath(path)) return allowed(method, READ, { kind: 'probe', path });
  if (path === '/v2') return allowed(method, READ, { kind: 'server-metadata' });
  if (path.startsWith('/v2/')) return rareRoute(method, path.split('/').slice(2));
  throw notFound();
}

/** Without query; of an absolute-form target (`GET http://host/path`) only the path. */
export function pathOf(target: string): string {
  const query = target.indexOf('?');
  const whole = query < 0 ? target : target.slice(0, query);
  if (whole.startsWith('/')) return whole;
  const authority = whole.indexOf('://');
  const slash = authority < 0 ? -1 : whole.indexOf('/', authority + 3);
  return slash < 0 ? '' : whole.slice(slash);
}

/** `segments` follow `/v2/models/`: M, M/<action>, M/versions/V, M/versions/V/<action>. */
function modelRoute(method: string, segments: readonly string[]): Route {
  const [name = '', second, third, fourth] = segments;
  if (name === '' || segments.length > 4) throw notFound();
  if (name === 'stats' && segments.length === 1) return allowed(method, READ, { kind: 'model-statistics', model: '', version: '' });
  if (second === undefined) return allowed(method, READ, { kind: 'model-metadata', model: modelName(name), version: '' });
  if (second !== 'versions') {
    if (second === 'trace' && third === 'setting' && fourth === undefined) return notOffered(method, EITHER, 'the trace extension');
    if (third !== undefined) throw notFound();
    return modelAction(method, name, '', second);
  }
  if (third === undefined || !isDigits(third)) throw notFound();
  if (fourth === undefined) return allowed(method, READ, { kind: 'model-metadata', model: modelName(name), version: third });
  return modelAction(method, name, third, fourth);
}

function modelAction(method: string, name: string, version: string, action: string): Route {
  if (action === 'generate' || action === 'generate_stream') return notOffered(method, WRITE, 'the generate extension');
  const found = MODEL_ACTIONS.get(action);
  if (found === undefined) throw notFound();
  return allowed(method, found.allow, { kind: found.kind, model: modelName(name), version });
}

/** `segments` follow `/v2/`. Known routes that are not offered say so; clients tell them from a mistyped path. */
function rareRoute(method: string, segments: readonly string[]): Route {
  const [first, ...rest] = segments;
  const shape = rest.join('/');
  switch (first) {
    case 'trace':
      if (shape === 'setting') return notOffered(method, EITHER, 'the trace extension');
      break;
    case 'logging':
      if (shape === '') return notOffered(method, EITHER, 'the logging extension');
      break;
    case 'repository':
      if (isRepositoryRoute(rest)) return notOffered(method, WRITE, 'the model repository extension');
      break;
    case 'systemsharedmemory':
    case 'cudasharedmemory': {
      const last = rest.at(-1);
      if ((rest.length === 1 || (rest.length === 3 && rest[0] === 'region')) && (last === 'status' || last === 'unregister')) {
        return notOffered(method, last === 'status' ? READ : WRITE, 'the shared memory extension');
      }
      if (rest.length === 3 && rest[0] === 'region' && last === 'register') return notOffered(method, WRITE, 'the shared memory extension');
      break;
    }
    default:
      break;
  }
  throw notFound();
}

/** `index` and `models/M/load|unload`, both with or without the name of a repository before them. */
function isRepositoryRoute(segments: readonly string[]): boolean {
  const last = segments.at(-1);
  if (last === 'index') return segments.length <= 2;
  if (last !== 'load' && last !== 'unload') return false;
  return (segments.length === 3 || segments.length === 4) && segments.at(-3) === 'models';
}

function allowed(method: string, allow: string, route: Route): Route {
  if (!allow.split(', ').includes(method)) throw new MethodError(allow);
  return route;
}

function notOffered(method: string, allow: string, feature: string): Route {
  return allowed(method, allow, { kind: 'not-offered', feature });
}

function modelName(encoded: string): string {
  if (!encoded.includes('%')) return encoded;
  try {
    return decodeURIComponent(encoded);
  } catch (cause) {
    throw new ServerError('ERR_REQUEST_FIELD', 'the model name in the path is not percent-encoded UTF-8', { cause });
  }
}

function isDigits(text: string): boolean {
  return /^[0-9]+$/.test(text);
}

function notFound(): ServerError {
  return new ServerError('ERR_ROUTE_UNKNOWN', 'Not Found');
}
