/** Faults that an API server accepts without a word. Each rule takes the manifests of one installation and returns complaints. */
import type { Manifest } from './kustomize.js';
import * as availability from './lint/availability.js';
import * as delivery from './lint/delivery.js';
import * as jobs from './lint/jobs.js';
import * as options from './lint/options.js';
import * as ports from './lint/ports.js';
import * as queries from './lint/queries.js';
import * as references from './lint/references.js';
import * as scheduling from './lint/scheduling.js';
import * as shutdown from './lint/shutdown.js';

type Rule = (manifests: readonly Manifest[], given: references.Given) => string[];

/** Every function that these files export is a rule. */
const RULES: readonly Rule[] = [availability, delivery, jobs, options, ports, queries, references, scheduling, shutdown].flatMap((rules) =>
  Object.values(rules),
);

/** `given`: what the cluster has beside the manifests, as `Kind/name`. */
export function lint(manifests: readonly Manifest[], given: references.Given = new Set()): string[] {
  return RULES.flatMap((rule) => rule(manifests, given));
}
