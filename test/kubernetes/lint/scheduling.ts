/** What decides where a pod may run, and how much it gets there. */
import type { Manifest } from '../kustomize.js';
import { containersOf, podTemplates, quantity, type PodTemplate } from '../workloads.js';

const forEachPod =
  (rule: (template: PodTemplate) => readonly string[]) =>
  (manifests: readonly Manifest[]): string[] =>
    podTemplates(manifests).flatMap((template) => rule(template).map((complaint) => `${template.name}: ${complaint}`));

/** Gt and Lt read whole numbers; with anything else, such as "16Gi", the API server is content and no node ever matches. */
export const affinityComparesWholeNumbers = forEachPod(({ spec }) => {
  const { requiredDuringSchedulingIgnoredDuringExecution: required, preferredDuringSchedulingIgnoredDuringExecution: preferred } =
    spec.affinity?.nodeAffinity ?? {};
  const terms = [...(required?.nodeSelectorTerms ?? []), ...(preferred ?? []).map(({ preference }) => preference)];
  return terms
    .flatMap(({ matchExpressions = [] }) => matchExpressions)
    .filter(({ operator }) => operator === 'Gt' || operator === 'Lt')
    .filter(({ values = [] }) => values.length !== 1 || !/^\d+$/.test(String(values[0])))
    .map(({ key, operator, values }) => `${key} ${operator} ${values?.join(', ') ?? ''} is no comparison with a whole number`);
});

export const tolerationsThatExistHaveNoValue = forEachPod(({ spec }) =>
  (spec.tolerations ?? [])
    .filter(({ operator, value }) => operator === 'Exists' && value !== undefined)
    .map(({ key }) => `the toleration of ${key ?? 'everything'} has the operator Exists and a value`),
);

/** Resources with a domain in their names are given out whole, and cannot be overcommitted. */
export const devicesAreWholeAndLimited = forEachPod((template) =>
  containersOf(template).flatMap(({ name, resources = {} }) => {
    const { requests = {}, limits = {} } = resources;
    const devices = [...new Set([...Object.keys(requests), ...Object.keys(limits)])].filter((resource) => resource.includes('/'));
    return devices.flatMap((device) => {
      const limit = limits[device];
      if (limit === undefined) return [`${name} requests ${device} without a limit`];
      if (!/^\d+$/.test(String(limit))) return [`${name}: ${String(limit)} of ${device} is no whole number`];
      const request = requests[device] ?? limit;
      return String(request) === String(limit) ? [] : [`${name} requests ${String(request)} of ${device}, but its limit is ${limit}`];
    });
  }),
);

/** Files in memory count towards the limit of who writes them: without a bound they end in an out-of-memory kill. */
export const memoryVolumesAreBounded = forEachPod((template) =>
  (template.spec.volumes ?? [])
    .filter(({ emptyDir }) => emptyDir?.medium === 'Memory')
    .flatMap(({ name, emptyDir }) => {
      const size = emptyDir?.sizeLimit;
      if (size === undefined) return [`the volume ${name} is in memory and has no sizeLimit`];
      return containersOf(template)
        .filter(({ volumeMounts = [] }) => volumeMounts.some((mount) => mount.name === name))
        .filter(({ resources }) => quantity(size) > quantity(resources?.limits?.['memory'] ?? Infinity))
        .map((container) => `the volume ${name} may be larger than the memory limit of ${container.name}`);
    }),
);
