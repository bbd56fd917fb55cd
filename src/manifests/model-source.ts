/** Where the pods get their models from, in the URI forms that KServe uses for storage, and what each means to Kustomize. */
import { OptionsError } from '../config/load.js';
import { loadPullOptions } from '../config/pull-options.js';

export interface ModelSource {
  /** Undefined: none, the folder of models is empty. */
  readonly component: string | undefined;
  /** Entries of the kustomization's list of patches that say where from. */
  readonly patches: readonly { readonly patch: object }[];
}

export interface SourceAnswers {
  readonly source: string;
  readonly checksum: string;
  /** Path below the folder of models, for a download. */
  readonly as: string;
}

export const SOURCE_FORMS = 'example, none, https://HOST/FILE, pvc://CLAIM (pvc:// makes one), oci://IMAGE@sha256:DIGEST';

const CLAIM_NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const IMAGE = /^[a-z0-9][-a-zA-Z0-9._:/]*@sha256:[0-9a-f]{64}$/;
const CHECKSUM = /^sha256:[0-9a-f]{64}$/i;
const ARCHIVE = /\.(tar|tar\.gz|tgz)$/i;

/** Adds a sentence to `faults` for each thing that is wrong. */
export function modelSource({ source, checksum, as }: SourceAnswers, faults: string[]): ModelSource {
  if (!source.startsWith('https://') && (checksum !== '' || as !== '')) {
    faults.push('--model-checksum and --model-as go with a --model-source that is downloaded (https://)');
  }
  if (source === 'none') return { component: undefined, patches: [] };
  if (source === 'example') return { component: 'model-example', patches: [] };
  if (source.startsWith('https://')) return download(source, checksum, as, faults);
  if (source.startsWith('pvc://')) return claim(source.slice('pvc://'.length), faults);
  if (source.startsWith('oci://')) return imageVolume(source.slice('oci://'.length), faults);
  faults.push(`--model-source: "${source}" is not one of ${SOURCE_FORMS}`);
  return { component: undefined, patches: [] };
}

function download(uri: string, checksum: string, as: string, faults: string[]): ModelSource {
  faults.push(...pullFaults(uri, as));
  const path = URL.canParse(uri) ? new URL(uri).pathname : '';
  if (!CHECKSUM.test(checksum)) faults.push(`--model-checksum: "${checksum}" is not sha256: with 64 hexadecimal digits`);
  if (as === '' && !ARCHIVE.test(path))
    faults.push('--model-as is needed for a source that is no archive (.tar, .tar.gz): NAME/1/model.onnx, say');
  // A generator would run before the component, and find nothing to merge with.
  const data = { MODEL_URI: uri, MODEL_CHECKSUM: checksum, MODEL_AS: as === '' ? '.' : as };
  return {
    component: 'model-download',
    patches: [{ patch: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'penstock-models' }, data } }],
  };
}

/** What the init container would say to it. */
function pullFaults(uri: string, as: string): string[] {
  try {
    loadPullOptions([uri, '/models', '--no-checksum', ...(as === '' ? [] : [`--as=${as}`])], {});
    return [];
  } catch (thrown) {
    if (!(thrown instanceof OptionsError)) throw thrown;
    return thrown.faults.map((fault) => fault.replace(/^URI:/, '--model-source:').replace(/--as\b/g, '--model-as'));
  }
}

function claim(name: string, faults: string[]): ModelSource {
  if (name === '') return { component: 'model-pvc', patches: [] };
  if (!CLAIM_NAME.test(name)) faults.push(`--model-source: "${name}" is not the name of a PersistentVolumeClaim`);
  const ours = { $patch: 'delete', apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'penstock-models' } };
  return {
    component: 'model-pvc',
    patches: [{ patch: ours }, volumePatch({ persistentVolumeClaim: { claimName: name } })],
  };
}

function imageVolume(reference: string, faults: string[]): ModelSource {
  if (!IMAGE.test(reference)) faults.push(`--model-source: "${reference}" is not an image with its digest, NAME@sha256:DIGEST`);
  return { component: 'model-oci', patches: [volumePatch({ image: { reference } })] };
}

/** A merge by the volume's name; its other fields stay as the component has them. */
function volumePatch(volume: object): { patch: object } {
  const spec = { template: { spec: { volumes: [{ name: 'models', ...volume }] } } };
  return { patch: { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'penstock' }, spec } };
}
