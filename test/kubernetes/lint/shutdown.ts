/** A pod has its grace period for everything: preStop, the drain, and what is left of the requests. Then it is killed. */
import { OptionsError } from '../../../src/config/load.js';
import type { Manifest } from '../kustomize.js';
import { serverOptions } from '../server-options.js';
import { podTemplates, type Container, type PodTemplate } from '../workloads.js';

const DEFAULT_GRACE_SECONDS = 30;

const graceOf = ({ spec }: PodTemplate): number => spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
const preStopOf = ({ lifecycle }: Container): number => lifecycle?.preStop?.sleep?.seconds ?? 0;

export function preStopEndsInTime(manifests: readonly Manifest[]): string[] {
  return podTemplates(manifests).flatMap((template) =>
    template.spec.containers
      .filter((container) => preStopOf(container) > 0 && preStopOf(container) >= graceOf(template))
      .map(
        (container) =>
          `${template.name}: preStop of ${container.name} (${preStopOf(container)} s) takes the grace period of ${graceOf(template)} s`,
      ),
  );
}

export function shutdownFitsTheGracePeriod(manifests: readonly Manifest[]): string[] {
  return podTemplates(manifests).flatMap((template) =>
    template.spec.containers.flatMap((container) => {
      const seconds = secondsOfShutdown(manifests, template, container);
      const grace = graceOf(template);
      return seconds <= grace
        ? []
        : [`${template.name}: ${container.name} may need ${seconds} s to shut down, the grace period is ${grace} s`];
    }),
  );
}

function secondsOfShutdown(manifests: readonly Manifest[], template: PodTemplate, container: Container): number {
  try {
    const options = serverOptions(manifests, template, container)?.options;
    return preStopOf(container) + (options === undefined ? 0 : options.drainDelaySecs + options.exitTimeoutSecs);
  } catch (thrown) {
    // What is wrong with the options is told by their own rule.
    if (thrown instanceof OptionsError) return 0;
    throw thrown;
  }
}
