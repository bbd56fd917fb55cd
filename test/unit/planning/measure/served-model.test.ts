import { describe, expect, it } from 'vitest';
import { readServed } from '../../../../src/planning/measure/served-model.js';

const H100 = 'NVIDIA H100 80GB HBM3';
const onGpus = (gpus: readonly number[], count = 2): unknown => ({
  max_batch_size: 8,
  instance_group: [{ kind: 'KIND_GPU', count, gpus }],
});

describe('what a server says of its model', () => {
  it('tells whether requests share batches', () => {
    const group = [{ kind: 'KIND_CPU', count: 3, gpus: [] }];
    const cpu = { maxBatchSize: 8, lanes: 3, placement: { kind: 'cpu' } };
    expect(readServed({ max_batch_size: 8, dynamic_batching: {}, instance_group: group }, [])).toEqual({ ...cpu, merges: true });
    expect(readServed({ max_batch_size: 8, instance_group: group }, [])).toEqual({ ...cpu, merges: false });
  });

  it('is on the CPU when the server says so, whatever GPUs the machine has', () => {
    expect(readServed({ instance_group: [{ kind: 'KIND_CPU', count: 1 }] }, [H100]).placement).toEqual({ kind: 'cpu' });
  });

  it('names each GPU that one server uses', () => {
    expect(readServed(onGpus([0]), Array<string>(8).fill(H100))).toMatchObject({ lanes: 2, placement: { kind: 'gpu', gpus: [H100] } });
    expect(readServed(onGpus([1, 0]), [H100, H100])).toMatchObject({ lanes: 4, placement: { gpus: [H100, H100] } });
    expect(readServed(onGpus([1]), [H100, 'NVIDIA A10']).placement).toEqual({ kind: 'gpu', gpus: ['GPU 1'] });
    expect(readServed(onGpus([0]), []).placement).toEqual({ kind: 'gpu', gpus: ['GPU 0'] });
  });
});
