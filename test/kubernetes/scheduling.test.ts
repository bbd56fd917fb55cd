import { describe, expect, it } from 'vitest';
import { deployment, installation, serverOptions } from './deployment.js';
import { find } from './kustomize.js';

describe('the component priority', () => {
  it('makes the class that the pods name, and no default for others', async () => {
    const manifests = await installation('priority');
    const { metadata, ...priority } = find(manifests, 'PriorityClass');
    expect(deployment(manifests).pod.priorityClassName).toBe(metadata.name);
    expect(priority).toMatchObject({ globalDefault: false });
    // The API server refuses more, which is the system's.
    expect(priority['value']).toBeLessThanOrEqual(1e9);
  });
});

describe('the component spread', () => {
  it('wishes for zones and nodes and insists on neither, counting the new version alone', async () => {
    const { topologySpreadConstraints = [], affinity } = deployment(await installation('spread')).pod;
    expect(topologySpreadConstraints.map(({ topologyKey }) => topologyKey)).toEqual([
      'topology.kubernetes.io/zone',
      'kubernetes.io/hostname',
    ]);
    for (const constraint of topologySpreadConstraints)
      expect(constraint).toMatchObject({ whenUnsatisfiable: 'ScheduleAnyway', matchLabelKeys: ['pod-template-hash'] });
    expect(Object.keys(affinity?.podAntiAffinity ?? {})).toEqual(['preferredDuringSchedulingIgnoredDuringExecution']);
  });
});

describe('the component spot', () => {
  it('is gone within the 15 s that a node gives ordinary pods when it shuts down', async () => {
    const manifests = await installation('spot');
    const { pod, container } = deployment(manifests);
    const { drainDelaySecs, exitTimeoutSecs } = serverOptions(manifests);
    const spent = container.lifecycle.preStop.sleep.seconds + drainDelaySecs + exitTimeoutSecs;
    // To unload and exit.
    const spareSecs = 2;
    expect(spent + spareSecs).toBeLessThanOrEqual(pod.terminationGracePeriodSeconds);
    expect(pod.terminationGracePeriodSeconds).toBeLessThan(15);
  });

  it('is found not ready while it still serves', async () => {
    const manifests = await installation('spot');
    const { periodSeconds, failureThreshold, timeoutSeconds } = deployment(manifests).container.readinessProbe;
    expect(periodSeconds * failureThreshold + timeoutSeconds).toBeLessThan(serverOptions(manifests).drainDelaySecs);
  });

  it('prefers spot nodes and runs on others too', async () => {
    const { pod } = deployment(await installation('spot'));
    const { nodeAffinity } = pod.affinity ?? {};
    expect(nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution).toBeUndefined();
    const preferred = nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    const wished = preferred.flatMap(({ preference }) => preference.matchExpressions.map(({ key }) => key));
    expect(wished).toEqual([
      'cloud.google.com/gke-spot',
      'karpenter.sh/capacity-type',
      'eks.amazonaws.com/capacityType',
      'kubernetes.azure.com/scalesetpriority',
    ]);
    // Nodes of EKS's own groups have no taint.
    expect(pod.tolerations.map(({ key }) => key).sort()).toEqual(wished.filter((key) => !key.startsWith('eks.')).sort());
  });

  it('leaves a drain of nodes a bound', async () => {
    const { maxUnavailable } = find(await installation('spot'), 'PodDisruptionBudget')['spec'] as { maxUnavailable: number };
    expect(maxUnavailable).toBe(1);
  });
});
