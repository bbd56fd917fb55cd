/** `penstock manifests`: prints a kustomization.yaml for an installation on Kubernetes. */
import { parseArgs } from 'node:util';
import { OptionsError } from '../config/load.js';
import { EXIT_OK } from '../lifecycle/exit-codes.js';
import { readCatalog } from '../manifests/catalog.js';
import { choose, GPU_KINDS, type Answers } from '../manifests/choices.js';
import { isRemote, k8sFrom, OWN_K8S } from '../manifests/k8s-folder.js';
import { kustomization } from '../manifests/kustomization.js';
import { SOURCE_FORMS } from '../manifests/model-source.js';
import { ask } from '../manifests/questions.js';

const TEXT = { type: 'string', default: '' } as const;
const FLAGS = {
  gpu: { type: 'string', default: 'none' },
  'model-source': { type: 'string', default: 'example' },
  'model-checksum': TEXT,
  'model-as': TEXT,
  replicas: TEXT,
  component: { type: 'string', multiple: true },
  image: TEXT,
  namespace: TEXT,
  k8s: TEXT,
} as const;

export function manifestsHelp(): string {
  const components = readCatalog(OWN_K8S).map(({ name, summary }) => `  ${name.padEnd(18)} ${summary}`);
  return `usage: penstock manifests [flags] > kustomization.yaml   without flags, on a terminal, it asks

  --gpu KIND              what each pod gets: ${GPU_KINDS.join(', ')} [default: none]
  --model-source SOURCE   ${SOURCE_FORMS} [default: example]
  --model-checksum SUM    sha256:HEX of what https:// gives
  --model-as PATH         where it goes below the folder of models; not needed for an archive
  --replicas N            where a component scales them: from N to twice as many [default: what the base has]
  --component NAME,...    may be given several times
  --image NAME            as your registry names it, REGISTRY/NAME[:TAG][@sha256:DIGEST]
  --namespace NAME        [default: penstock]
  --k8s PATH              path or URL of the folder k8s, as the kustomization is to name it [default: from here to that of this checkout]

components:
${components.join('\n')}`;
}

/** Writes the kustomization to `write`. Resolves with the exit code. Throws `OptionsError`. */
export async function manifests(args: readonly string[], write: (text: string) => void): Promise<number> {
  const { k8s: given, ...flags } = readFlags(args);
  const catalog = readCatalog(given === '' || isRemote(given) ? OWN_K8S : given);
  const asks = args.length === 0 && process.stdin.isTTY && process.stderr.isTTY;
  const answers = asks ? await ask(catalog, { input: process.stdin, output: process.stderr }) : {};
  const choices = choose({ ...flags, ...answers }, catalog);
  write(kustomization(choices, k8sFrom(given, '')).trimEnd());
  return EXIT_OK;
}

function readFlags(args: readonly string[]): Answers & { readonly k8s: string } {
  try {
    const { component = [], ...texts } = parseArgs({ args: [...args], options: FLAGS }).values;
    return { ...texts, component };
  } catch (thrown) {
    throw new OptionsError([thrown instanceof Error ? thrown.message : String(thrown)]);
  }
}
