import { describe, expect, it } from 'vitest';
import { OptionsError } from '../../../src/config/load.js';
import type { Component } from '../../../src/manifests/catalog.js';
import { choose, type Answers } from '../../../src/manifests/choices.js';

const component = (name: string, fields: Partial<Component> = {}): Component => ({
  name,
  summary: `what ${name} does`,
  needs: 'nothing',
  with: [],
  conflicts: [],
  isLast: false,
  ...fields,
});
const catalog = [
  component('autoscaled', { isLast: true }),
  component('canary'),
  component('gpu', { with: [['spread']], conflicts: ['mig'] }),
  component('hpa', { with: [['canary', 'autoscaled']], conflicts: ['keda'] }),
  component('keda'),
  component('mig'),
  component('model-download'),
  component('model-example'),
  component('model-oci'),
  component('model-pvc'),
  component('spread'),
];
const nothing: Answers = {
  gpu: 'none',
  'model-source': 'none',
  'model-checksum': '',
  'model-as': '',
  replicas: '',
  image: '',
  namespace: '',
  component: [],
};
const chosen = (answers: Partial<Answers>): ReturnType<typeof choose> => choose({ ...nothing, ...answers }, catalog);
const names = (answers: Partial<Answers>): string[] => chosen(answers).components.map(({ name }) => name);

function faults(answers: Partial<Answers>): readonly string[] {
  try {
    chosen(answers);
  } catch (thrown) {
    if (thrown instanceof OptionsError) return thrown.faults;
    throw thrown;
  }
  return [];
}

describe('the components of an installation', () => {
  it('are those of the GPU, of the models and those named, each once', () => {
    expect(names({ gpu: 'gpu', 'model-source': 'example', component: ['spread,keda', 'spread'] })).toEqual([
      'gpu',
      'keda',
      'model-example',
      'spread',
    ]);
  });

  it('come before those that they are used with', () => {
    expect(names({ component: ['spread', 'gpu'] })).toEqual(['gpu', 'spread']);
  });

  it('bring what makes two of them go together, after all others', () => {
    expect(names({ component: ['canary', 'hpa', 'spread'] })).toEqual(['hpa', 'canary', 'spread', 'autoscaled']);
    expect(names({ component: ['canary', 'spread'] })).toEqual(['canary', 'spread']);
  });

  it('are refused when two exclude each other, whichever of them says so', () => {
    expect(faults({ component: ['keda', 'hpa'] })).toEqual(['hpa and keda exclude each other']);
    expect(faults({ gpu: 'mig', component: ['gpu'] })).toEqual(['gpu and mig exclude each other']);
  });

  it('are refused when there is none of the name, with the one that was probably meant', () => {
    expect(faults({ component: ['spraed', 'zebra'] })).toEqual([
      '--component: there is no "spraed"; did you mean spread?',
      '--component: there is no "zebra"; --help lists them',
    ]);
  });
});

describe('the source of the models', () => {
  const digest = 'a'.repeat(64);

  it('is a download with its checksum', () => {
    const { source } = chosen({ 'model-source': 'https://h/m.tar.gz', 'model-checksum': `sha256:${digest}` });
    expect(source).toMatchObject({
      component: 'model-download',
      patches: [{ patch: { data: { MODEL_URI: 'https://h/m.tar.gz', MODEL_CHECKSUM: `sha256:${digest}`, MODEL_AS: '.' } } }],
    });
  });

  it.each([
    ['example', 'model-example'],
    ['pvc://', 'model-pvc'],
    ['pvc://my-claim', 'model-pvc'],
    [`oci://registry/models@sha256:${digest}`, 'model-oci'],
  ])('%s is the component %s', (source, name) => {
    expect(names({ 'model-source': source })).toEqual([name]);
  });

  it.each([
    [
      { 'model-source': 'https://h/m.tar', 'model-checksum': 'sha256:12' },
      ['--model-checksum: "sha256:12" is not sha256: with 64 hexadecimal digits'],
    ],
    [
      { 'model-source': 'https://h/m.onnx', 'model-checksum': `sha256:${digest}` },
      ['--model-as is needed for a source that is no archive (.tar, .tar.gz): NAME/1/model.onnx, say'],
    ],
    [
      { 'model-source': 'pvc://c', 'model-as': 'm' },
      ['--model-checksum and --model-as go with a --model-source that is downloaded (https://)'],
    ],
    [
      { 'model-source': 'https://me:word@h/m.tar', 'model-checksum': `sha256:${digest}`, 'model-as': '../m' },
      [
        '--model-source: a password in it shows in the list of processes; put it in the variable PENSTOCK_PULL_AUTHORIZATION',
        '--model-as: "../m" is not the path of a file below DIR',
      ],
    ],
    [{ 'model-source': 'pvc://No' }, ['--model-source: "No" is not the name of a PersistentVolumeClaim']],
    [
      { 'model-source': 'oci://registry/models:latest' },
      ['--model-source: "registry/models:latest" is not an image with its digest, NAME@sha256:DIGEST'],
    ],
    [
      { 'model-source': 's3://bucket' },
      [
        '--model-source: "s3://bucket" is not one of example, none, https://HOST/FILE, pvc://CLAIM (pvc:// makes one), oci://IMAGE@sha256:DIGEST',
      ],
    ],
  ])('is refused: %j', (answers, sentences) => {
    expect(faults(answers)).toEqual(sentences);
  });
});

describe('the rest', () => {
  it.each([
    [
      'registry.example.com:5000/team/penstock:1.2@sha256:' + 'b'.repeat(64),
      { newName: 'registry.example.com:5000/team/penstock', newTag: '1.2' },
    ],
    ['penstock', { newName: 'penstock' }],
    ['localhost:5000/penstock', { newName: 'localhost:5000/penstock' }],
    ['registry/penstock:0.1', { newName: 'registry/penstock', newTag: '0.1' }],
  ])('takes the image %s apart', (image, parts) => {
    expect(chosen({ image }).image).toMatchObject(parts);
  });

  it.each(['registry/Penstock', 'penstock@sha256:' + 'B'.repeat(64)])('refuses the image %s, as the pods would', (image) => {
    expect(faults({ image })).toEqual([`--image: "${image}" is not the name of an image, REGISTRY/NAME[:TAG][@sha256:DIGEST]`]);
  });

  it('names every fault at once', () => {
    expect(faults({ gpu: 'tpu', replicas: '0', image: ':tag', namespace: 'No' })).toEqual([
      '--gpu: "tpu" is not one of none, gpu, gpu-sharing, mig, dra',
      '--replicas: "0" is not a whole number from 1 to 99999',
      '--image: ":tag" is not the name of an image, REGISTRY/NAME[:TAG][@sha256:DIGEST]',
      '--namespace: "No" is not the name of a namespace',
    ]);
  });
});
