/** Options that the server would refuse, or warn of and pass over. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { OptionsError } from '../../../src/config/load.js';
import { repositoryRoot } from '../../support/server-process.js';
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

const CONFIG = join(repositoryRoot, 'src/config');
/** Only files of this folder read the environment, so that variables of other commands, such as `pull`, stand in them too. */
const CONFIG_SOURCES = readdirSync(CONFIG)
  .filter((file) => file.endsWith('.ts'))
  .map((file) => readFileSync(join(CONFIG, file), 'utf8'))
  .join('\n');

/** Of init containers and jobs, which run other commands than the server. */
export function variablesOfOtherCommandsAreRead(manifests: readonly Manifest[]): string[] {
  return podTemplates(manifests).flatMap((template) =>
    containersOf(template)
      .filter((container) => isPenstock(container) && container.args?.[0] !== 'serve')
      .flatMap(({ name, env = [] }) =>
        env
          .filter((variable) => variable.name.startsWith('PENSTOCK_') && !CONFIG_SOURCES.includes(`'${variable.name}'`))
          .map((variable) => `${template.name}: ${name}: no command reads the variable ${variable.name}`),
      ),
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
