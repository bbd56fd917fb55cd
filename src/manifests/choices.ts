/** What an installation is made of, as the flags or the answers say. */
import { OptionsError } from '../config/load.js';
import { nearestName } from '../config/nearest-name.js';
import type { Component } from './catalog.js';
import { modelSource, type ModelSource } from './model-source.js';

/** As they were given; empty = not given. */
export interface Answers {
  readonly gpu: string;
  readonly 'model-source': string;
  readonly 'model-checksum': string;
  readonly 'model-as': string;
  readonly replicas: string;
  readonly image: string;
  readonly namespace: string;
  readonly component: readonly string[];
}

export interface Choices {
  /** In the order in which Kustomize applies them. */
  readonly components: readonly Component[];
  readonly source: ModelSource;
  /** From so many to twice as many where a component scales them. Undefined: what the base has. */
  readonly replicas: number | undefined;
  /** Fields of an entry of `images`. Undefined: the images that the base and the components name. */
  readonly image: Readonly<Record<string, string>> | undefined;
  readonly namespace: string;
}

/** Of `replicas`. */
export const MOST_REPLICAS = 99_999;
export const GPU_KINDS = ['none', 'gpu', 'gpu-sharing', 'mig', 'dra'] as const;

const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
/** Capital letters may stand in the host and the tag only. */
const IMAGE = /^((?:[a-z0-9][-A-Za-z0-9.]*(?::\d+)?\/)?[a-z0-9][-a-z0-9._/]*)(?::(\w[-\w.]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$/;

/** Throws `OptionsError` with everything that is wrong. */
export function choose(answers: Answers, catalog: readonly Component[]): Choices {
  const faults: string[] = [];
  const source = modelSource({ source: answers['model-source'], checksum: answers['model-checksum'], as: answers['model-as'] }, faults);
  const gpu = GPU_KINDS.find((kind) => kind === answers.gpu);
  if (gpu === undefined) faults.push(`--gpu: "${answers.gpu}" is not one of ${GPU_KINDS.join(', ')}`);
  const names = [gpu === 'none' ? [] : (gpu ?? []), source.component ?? [], answers.component.flatMap((text) => text.split(','))];
  const components = inOrder(withFollowers(named(new Set(names.flat().filter(Boolean)), catalog, faults), catalog));
  faults.push(...conflicts(components));
  const choices = {
    components,
    source,
    replicas: replicas(answers.replicas, faults),
    image: image(answers.image, faults),
    namespace: answers.namespace === '' ? 'penstock' : answers.namespace,
  };
  if (!LABEL.test(choices.namespace)) faults.push(`--namespace: "${answers.namespace}" is not the name of a namespace`);
  if (faults.length > 0) throw new OptionsError(faults);
  return choices;
}

function named(names: ReadonlySet<string>, catalog: readonly Component[], faults: string[]): Component[] {
  return [...names].flatMap((name) => {
    const found = catalog.find((component) => component.name === name);
    if (found !== undefined) return [found];
    const nearest = nearestName(
      name,
      catalog.map((component) => component.name),
    );
    faults.push(`--component: there is no "${name}"${nearest === undefined ? '; --help lists them' : `; did you mean ${nearest}?`}`);
    return [];
  });
}

function conflicts(components: readonly Component[]): string[] {
  return components.flatMap((one, position) =>
    components
      .slice(position + 1)
      .filter((other) => one.conflicts.includes(other.name) || other.conflicts.includes(one.name))
      .map((other) => `${one.name} and ${other.name} exclude each other`),
  );
}

/** An autoscaler with a rollout, say, brings what makes the two go together. */
function withFollowers(components: readonly Component[], catalog: readonly Component[]): Component[] {
  const names = new Set(components.map(({ name }) => name));
  const followers = components.flatMap((component) => component.with.filter(([first = '']) => names.has(first)).flat());
  return catalog.filter(({ name }) => names.has(name) || followers.includes(name));
}

/** A component comes before those that it says it is used with, otherwise by name. */
function inOrder(components: readonly Component[]): Component[] {
  const ordered: Component[] = [];
  const visit = (component: Component, path: readonly Component[]): void => {
    if (ordered.includes(component) || path.includes(component)) return;
    for (const earlier of components.filter((other) => other.with.flat().includes(component.name))) visit(earlier, [...path, component]);
    ordered.push(component);
  };
  for (const component of components) visit(component, []);
  return [...ordered.filter(({ isLast }) => !isLast), ...ordered.filter(({ isLast }) => isLast)];
}

function replicas(text: string, faults: string[]): number | undefined {
  if (text === '') return undefined;
  if (!/^[1-9]\d*$/.test(text) || Number(text) > MOST_REPLICAS)
    faults.push(`--replicas: "${text}" is not a whole number from 1 to ${MOST_REPLICAS}`);
  return Number(text);
}

function image(text: string, faults: string[]): Record<string, string> | undefined {
  if (text === '') return undefined;
  const [, newName = '', newTag, digest] = IMAGE.exec(text) ?? [];
  if (newName === '') faults.push(`--image: "${text}" is not the name of an image, REGISTRY/NAME[:TAG][@sha256:DIGEST]`);
  return { name: 'penstock', newName, ...(newTag === undefined ? {} : { newTag }), ...(digest === undefined ? {} : { digest }) };
}
