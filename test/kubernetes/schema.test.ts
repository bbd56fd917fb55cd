import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { build, find, type Manifest } from './kustomize.js';
import { conforms } from './schema.js';

const manifest = (yaml: string): Manifest => parse(yaml) as Manifest;

const scaledObject = `
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: { name: penstock }
spec:
  scaleTargetRef: { name: penstock }
  triggers: [{ type: cpu, metricType: Utilization, metadata: { value: '60' } }]
`;

const rollout = `
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: { name: penstock }
spec:
  workloadRef: { apiVersion: apps/v1, kind: Deployment, name: penstock }
  strategy: { canary: { steps: [{ setWeight: 5 }, { pause: { duration: 5m } }] } }
`;

const claim = `
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata: { name: gpu }
spec: { spec: { devices: { requests: [{ name: gpu, exactly: { deviceClassName: gpu.nvidia.com } }] } } }
`;

const route = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: penstock }
spec: { rules: [{ backendRefs: [{ name: penstock, port: 8000 }] }] }
`;

describe('the schemas', () => {
  it('accept what is right: built-in kinds and custom ones', async () => {
    const custom = [scaledObject, rollout, claim, route].map(manifest);
    expect(await conforms([...(await build('base')), ...custom])).toEqual([]);
  });

  it('refuse a misspelt field of a Deployment, deep inside', async () => {
    const deployment = JSON.stringify(find(await build('base'), 'Deployment')).replace('"failureThreshold":300', '"failureTreshold":300');
    expect(await conforms([JSON.parse(deployment) as Manifest])).toEqual([expect.stringMatching(/startupProbe.*failureTreshold/)]);
  });

  it.each([
    ['a misspelt field of a ScaledObject', scaledObject, 'triggers:', 'trigger:', /triggers?'/],
    ['a number where KEDA reads text', scaledObject, "'60'", '60', /value.*got number, want string/],
    ['a misspelt field of a Rollout', rollout, 'workloadRef', 'workloadReference', /workloadReference/],
    ['a misspelt field of the metadata of a custom object', rollout, 'metadata: {', 'metadata: { label: {},', /label/],
    ['a text where a Rollout has a number', rollout, 'setWeight: 5', "setWeight: '5'", /setWeight.*got string, want integer/],
    [
      'a flat device request, as it was before resource.k8s.io/v1',
      claim,
      'exactly: { deviceClassName: gpu.nvidia.com }',
      'deviceClassName: a',
      /deviceClassName/,
    ],
    ['a port that is not a number', route, 'port: 8000', 'port: http', /port.*got string, want integer/],
    ['a group version that is not served', scaledObject, 'v1alpha1', 'v1', /could not find schema for ScaledObject/],
    [
      'a HorizontalPodAutoscaler of v2beta2',
      scaledObject.replace('ScaledObject', 'HorizontalPodAutoscaler'),
      'keda.sh/v1alpha1',
      'autoscaling/v2beta2',
      /could not find schema/,
    ],
    ['a missing field', rollout, 'apiVersion: apps/v1, kind: Deployment, name: penstock', 'apiVersion: [a]', /got array, want string/],
  ])('refuse %s', async (_fault, right, from, to, complaint) => {
    expect(right).toContain(from);
    expect((await conforms([manifest(right.replace(from, to))])).join('\n')).toMatch(complaint);
  });
});
