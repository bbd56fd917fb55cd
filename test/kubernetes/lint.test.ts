import { beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { build, type Manifest } from './kustomize.js';
import { lint } from './lint.js';

const yaml = (text: string): Manifest[] => parseAllDocuments(text).map((document) => document.toJS() as Manifest);
const autoscaler = (name: string, target = 'penstock'): string => `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: { name: ${name} }
spec: { scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: ${target} }, minReplicas: 1, maxReplicas: 3 }
`;
const scaledObject = `
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: { name: penstock }
spec: { scaleTargetRef: { name: penstock }, triggers: [] }
`;
const scaledQuery = (name: string, namespace: string, asked: string): string => `
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: { name: ${name}, namespace: ${namespace} }
spec: { scaleTargetRef: { name: penstock }, triggers: [{ type: prometheus, metadata: { query: 'sum(up{namespace="${asked}"})' } }] }
`;
const cronJob = (spec: string, pod: string): string => `
apiVersion: batch/v1
kind: CronJob
metadata: { name: backup }
spec: { ${spec}, jobTemplate: { spec: { ${pod} } } }
`;
const affinity = (value: string): string =>
  `"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"nvidia.com/gpu.memory","operator":"Gt","values":["${value}"]}]}]}}},"serviceAccountName":"penstock"`;
const env = (variable: string): string => `"env":[${variable}],"image":`;

/** What is replaced in the manifests of the base, as JSON, and what the linter says then. */
const REPLACED: readonly (readonly [string, string, string, RegExp])[] = [
  [
    'a probe of a port that nobody declares',
    '"path":"/ready","port":"management"',
    '"path":"/ready","port":"managment"',
    /asks port managment/,
  ],
  ['a Service whose target nobody declares', '"targetPort":"grpc"', '"targetPort":"grcp"', /no container behind it declares port grcp/],
  ['a NetworkPolicy for a port that nobody declares', '{"port":"http"}', '{"port":"htpp"}', /NetworkPolicy penstock: .*port htpp/],
  ['a comparison of a label with a quantity', '"serviceAccountName":"penstock"', affinity('16Gi'), /no comparison with a whole number/],
  [
    'a toleration of existence with a value',
    '"volumes":[',
    '"tolerations":[{"key":"a","operator":"Exists","value":"b"}],"volumes":[',
    /Exists and a value/,
  ],
  ['half a GPU', '"limits":{', '"limits":{"nvidia.com/gpu":"0.5",', /no whole number/],
  ['a GPU that is requested only', '"requests":{', '"requests":{"nvidia.com/gpu":1,', /without a limit/],
  [
    'more GPUs in the limit than in the request',
    '"limits":{"cpu":"2","memory":"2Gi"},"requests":{',
    '"limits":{"nvidia.com/gpu":2},"requests":{"nvidia.com/gpu":1,',
    /its limit is 2/,
  ],
  ['memory for files without a bound', ',"sizeLimit":"64Mi"', '', /no sizeLimit/],
  ['more memory for files than the container has', '"sizeLimit":"64Mi"', '"sizeLimit":"4Gi"', /larger than the memory limit/],
  ['a budget of no disruption', '"maxUnavailable":1,"selector"', '"maxUnavailable":0,"selector"', /allows no disruption/],
  [
    'a budget that wants all replicas',
    '"maxUnavailable":1,"selector"',
    '"minAvailable":2,"selector"',
    /minAvailable 2 allows no disruption/,
  ],
  ['a rollout that may neither add nor remove a pod', '"maxSurge":1', '"maxSurge":0', /both 0/],
  [
    'a rollout that gives up before a pod has to be ready',
    '"progressDeadlineSeconds":900',
    '"progressDeadlineSeconds":300',
    /may take 600 s to start/,
  ],
  ['a liveness probe that has to succeed twice', '"failureThreshold":3,', '"failureThreshold":3,"successThreshold":2,', /successThreshold/],
  ['a preStop as long as the grace period', '"seconds":5', '"seconds":50', /takes the grace period/],
  ['a drain longer than the grace period', 'exit-timeout-secs: 30', 'exit-timeout-secs: 60', /may need 70 s to shut down/],
  ['a drain that a variable makes longer', '"image":', env('{"name":"PENSTOCK_DRAIN_DELAY_SECS","value":"100"}'), /may need 135 s/],
  ['a variable that is no option', '"image":', env('{"name":"PENSTOCK_DRAIN_DELAY","value":"1"}'), /PENSTOCK_DRAIN_DELAY is not an option/],
  ['a value that its option does not take', '"image":', env('{"name":"PENSTOCK_HTTP_PORT","value":"many"}'), /"many" is not/],
  [
    'a variable of an init container that no command reads',
    '"volumes":[',
    '"initContainers":[{"name":"pull","image":"penstock","args":["pull"],"env":[{"name":"PENSTOCK_PUL","value":"1"}]}],"volumes":[',
    /no command reads the variable PENSTOCK_PUL/,
  ],
  ['a flag that is no option', '"--config"', '"--configuration"', /--configuration is not an option/],
  ['a line of the options file that is no option', 'model-repository: /models', 'model-repo: /models', /model-repo is not an option/],
  ['an options file that is not mounted', '/etc/penstock/penstock.yaml', '/etc/penstock.yaml', /cannot be read/],
  ['a model repository on no volume', 'model-repository: /models', 'model-repository: /model', /no volume is mounted/],
  [
    'a mount of a volume that is not there',
    '"mountPath":"/models","name":"models"',
    '"mountPath":"/models","name":"model"',
    /uses a volume model/,
  ],
  [
    'a volume of a claim that is not there',
    '"emptyDir":{}',
    '"persistentVolumeClaim":{"claimName":"models"}',
    /no PersistentVolumeClaim models/,
  ],
  [
    'a variable out of a Secret that is not there',
    '"image":',
    env('{"name":"A","valueFrom":{"secretKeyRef":{"name":"s","key":"k"}}}'),
    /no Secret s/,
  ],
  [
    'a variable out of a key that is not there',
    '"image":',
    env('{"name":"A","valueFrom":{"configMapKeyRef":{"name":"CONFIG","key":"k"}}}'),
    /has no key k/,
  ],
  ['a ServiceAccount that is not there', '"serviceAccountName":"penstock"', '"serviceAccountName":"server"', /no ServiceAccount server/],
  ['a PriorityClass that is not there', '"serviceAccountName"', '"priorityClassName":"high","serviceAccountName"', /no PriorityClass high/],
  [
    'a RuntimeClass that is not there',
    '"serviceAccountName"',
    '"runtimeClassName":"nvidia","serviceAccountName"',
    /no RuntimeClass nvidia/,
  ],
];

/** Manifests that are added to those of the base. */
const ADDED: readonly (readonly [string, string, RegExp])[] = [
  [
    'two autoscalers of one target',
    `${autoscaler('one')}---${autoscaler('two')}`,
    /scaled by HorizontalPodAutoscaler one and HorizontalPodAutoscaler two/,
  ],
  ['an HPA beside KEDA', `${autoscaler('one')}---${scaledObject}`, /scaled by HorizontalPodAutoscaler one and ScaledObject penstock/],
  ['replicas that an autoscaler decides', autoscaler('one'), /has replicas, which HorizontalPodAutoscaler one decides/],
  ['an autoscaler of what is not there', autoscaler('one', 'server'), /there is no Deployment server/],
  [
    'a time zone in a schedule',
    cronJob("schedule: 'CRON_TZ=UTC 0 3 * * *'", 'template: { spec: { containers: [] } }'),
    /belongs to timeZone/,
  ],
  [
    'a failure policy for pods that start again',
    cronJob("schedule: '0 3 * * *'", 'podFailurePolicy: { rules: [] }, template: { spec: { restartPolicy: OnFailure, containers: [] } }'),
    /needs restartPolicy Never/,
  ],
  [
    'a monitor of a port that no Service has',
    'apiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nmetadata: { name: m }\nspec: { selector: {}, endpoints: [{ port: metrics }] }',
    /has a port called metrics/,
  ],
  [
    'a monitor that selects no Service',
    'apiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nmetadata: { name: m }\nspec: { selector: { matchLabels: { app: penstock } }, endpoints: [] }',
    /selects no Service/,
  ],
  [
    'a route to a port that the Service does not have',
    'apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: r }\nspec: { rules: [{ backendRefs: [{ name: penstock, port: 80 }] }] }',
    /Service penstock has no port 80/,
  ],
  [
    'a route to a Service that is not there',
    'apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: v }\nspec: { http: [{ route: [{ destination: { host: server.default.svc } }] }] }',
    /there is no Service server/,
  ],
  [
    'mesh rules for a port that nobody declares',
    "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: { name: p }\nspec: { selector: { matchLabels: { app.kubernetes.io/name: penstock } }, portLevelMtls: { '9000': { mode: PERMISSIVE } } }",
    /declares port 9000/,
  ],
  [
    'a budget that takes no pod of a Canary',
    'apiVersion: flagger.app/v1beta1\nkind: Canary\nmetadata: { name: penstock }\nspec: { targetRef: { kind: Deployment, name: penstock } }\n---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: { name: b }\nspec: { selector: { matchLabels: { app.kubernetes.io/name: penstock-canary } } }',
    /PodDisruptionBudget b selects no pod/,
  ],
  [
    'a rollout whose Deployment runs pods beside it',
    'apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: { name: r }\nspec: { workloadRef: { kind: Deployment, name: penstock } }',
    /Deployment penstock lends Rollout r its template and runs pods itself/,
  ],
  [
    'a rollout that is judged by what is not there',
    'apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: { name: r }\nspec: { strategy: { canary: { steps: [{ analysis: { templates: [{ templateName: t }] } }] } } }',
    /Rollout r: there is no AnalysisTemplate t/,
  ],
  [
    'an autoscaler of a Deployment that lends its template',
    `apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: { name: r }\nspec: { workloadRef: { kind: Deployment, name: penstock } }\n---${autoscaler('one')}`,
    /HorizontalPodAutoscaler one scales Deployment penstock, which only lends its template/,
  ],
  [
    'a policy that forgets the pods of the copy',
    'apiVersion: flagger.app/v1beta1\nkind: Canary\nmetadata: { name: penstock }\nspec: { targetRef: { kind: Deployment, name: penstock } }',
    /NetworkPolicy penstock is for the pods of a Canary's target and not for those of its copy/,
  ],
  ['a query about another namespace', scaledQuery('penstock', 'x', 'y'), /has namespace="y" and not x/],
  [
    'two autoscalers that count the load of both',
    `${scaledQuery('one', 'x', 'x')}---${scaledQuery('two', 'x', 'x')}`,
    /ScaledObject one and ScaledObject two ask the same question/,
  ],
  [
    'a Service that selects no pod',
    'apiVersion: v1\nkind: Service\nmetadata: { name: s }\nspec: { selector: { app: penstock } }',
    /Service s selects no pod/,
  ],
];

describe('the linter', () => {
  let base: readonly Manifest[];

  beforeAll(async () => {
    base = await build('base');
  });

  it('has nothing to say of the base', () => {
    expect(lint(base)).toEqual([]);
  });

  it.each(REPLACED)('complains of %s', (_fault, from, to, complaint) => {
    const text = JSON.stringify(base);
    const config = base.find(({ kind }) => kind === 'ConfigMap')?.metadata.name ?? '';
    expect(text).toContain(from);
    expect(lint(JSON.parse(text.replace(from, to.replace('CONFIG', config))) as Manifest[]).join('\n')).toMatch(complaint);
  });

  it.each(ADDED)('complains of %s', (_fault, text, complaint) => {
    expect(lint([...base, ...yaml(text)]).join('\n')).toMatch(complaint);
  });

  it('complains of selectors that do not select the pods of their own workload', () => {
    const other = JSON.stringify(base).replace(/("matchLabels":\{"app.kubernetes.io\/name":")penstock("\}\},"strategy")/, '$1server$2');
    expect(lint(JSON.parse(other) as Manifest[])).toEqual(['Deployment penstock: a selector in it does not select its own pods']);
  });

  it('knows the labels of the pods that Flagger makes', () => {
    const canary =
      'apiVersion: flagger.app/v1beta1\nkind: Canary\nmetadata: { name: penstock }\nspec: { targetRef: { kind: Deployment, name: penstock } }';
    const service =
      'apiVersion: v1\nkind: Service\nmetadata: { name: s }\nspec: { selector: { app.kubernetes.io/name: penstock-primary } }';
    expect(lint([...base, ...yaml(service)])).toEqual(['Service s selects no pod']);
    expect(lint([...base, ...yaml(`${canary}\n---\n${service}`)])).not.toContain('Service s selects no pod');
  });

  it('takes objects that the cluster is said to have', () => {
    const text = JSON.stringify(base).replace('"serviceAccountName"', '"runtimeClassName":"nvidia","serviceAccountName"');
    expect(lint(JSON.parse(text) as Manifest[], new Set(['RuntimeClass/nvidia']))).toEqual([]);
  });
});
