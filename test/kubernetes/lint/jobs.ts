/** Jobs and what starts them. */
import type { Manifest } from '../kustomize.js';
import { ofKind, podTemplates, specOf, titleOf } from '../workloads.js';

interface JobSpec {
  readonly podFailurePolicy?: unknown;
}

export function schedulesNameTheirTimeZoneAside(manifests: readonly Manifest[]): string[] {
  return ofKind(manifests, 'CronJob')
    .filter((job) => /TZ=/.test(specOf<{ schedule: string }>(job).schedule))
    .map((job) => `${titleOf(job)}: the time zone belongs to timeZone, not to schedule`);
}

export function failurePoliciesComeWithNoRestart(manifests: readonly Manifest[]): string[] {
  return podTemplates(manifests)
    .filter(({ owner }) => ['Job', 'CronJob'].includes(owner.kind))
    .filter(({ owner, spec }) => {
      const own = specOf<JobSpec & { jobTemplate?: { spec: JobSpec } }>(owner);
      return (own.jobTemplate?.spec ?? own).podFailurePolicy !== undefined && spec.restartPolicy !== 'Never';
    })
    .map(({ name }) => `${name}: podFailurePolicy needs restartPolicy Never`);
}
