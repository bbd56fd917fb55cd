/** Options that the server would refuse, or warn of and pass over. */
import { loadOptions, OptionsError } from '../../../src/config/load.js';
import type { Manifest } from '../kustomize.js';
import { isPenstock, serverOptions } from '../server-options.js';
import { containersOf, podTemplates } from '../workloads.js';

export function serversAcceptTheirOptions(manifests: readonly Manifest[]): string[] {
  return podTemplates(manifests).flatMap((template) =>
    containersOf(template).flatMap((container) => {
      const complain = (sentence: string): string => `${template.name}: ${container.name}: ${sentence}`;
      try {
        return (serverOptions(manifests, template, container)?.warnings ?? []).map(complain);
      } catch (thrown) {
        if (!(thrown instanceof OptionsError)) throw thrown;
        return thrown.faults.map(complain);
      }
    }),
  );
}

/** Variables of other commands too, such as `pull` in an init container. */
export function variablesAreOptions(manifests: readonly Manifest[]): string[] {
  return podTemplates(manifests).flatMap((template) =>
    containersOf(template)
      .filter(isPenstock)
      .flatMap((container) => {
        const names = (container.env ?? []).filter(({ name }) => name.startsWith('PENSTOCK_')).map(({ name }) => [name, ''] as const);
        // Values would be faults here, names that no option has are warnings.
        try {
          return loadOptions([], Object.fromEntries(names)).warnings.map((warning) => `${template.name}: ${container.name}: ${warning}`);
        } catch (thrown) {
          if (!(thrown instanceof OptionsError)) throw thrown;
          return [];
        }
      }),
  );
}

/** The models must come from somewhere: a repository that lies on no volume is a folder of the image, which has none. */
export function repositoriesAreMounted(manifests: readonly Manifest[]): string[] {
  return podTemplates(manifests).flatMap((template) =>
    template.spec.containers.flatMap((container) => {
      let repositories: readonly string[] = [];
      try {
        repositories = serverOptions(manifests, template, container)?.options.modelRepository ?? [];
      } catch {
        // Reported by serversAcceptTheirOptions.
      }
      const mounts = container.volumeMounts ?? [];
      return repositories
        .filter((path) => !mounts.some(({ mountPath }) => path === mountPath || path.startsWith(`${mountPath}/`)))
        .map((path) => `${template.name}: ${container.name}: no volume is mounted at the model repository ${path}`);
    }),
  );
}
