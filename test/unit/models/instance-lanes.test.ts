import { describe, expect, it } from 'vitest';
import { planLanes, type LanePlan } from '../../../src/models/instance-lanes.js';
import { readModelConfig } from '../../../src/models/model-config.js';
import { parsePbtxt } from '../../../src/models/pbtxt.js';
import { insistsOnGpus } from '../../../src/models/placement.js';
import { usableGpus } from './usable-gpus.js';

const groupsOf = (text: string) => readModelConfig(parsePbtxt(text, 'config.pbtxt'), 'config.pbtxt').config.instanceGroups;

function plan(text: string, gpuCount: number): LanePlan {
  const usable = gpuCount === 0 ? { gpus: [], reason: 'the driver is asleep' } : usableGpus(gpuCount);
  return planLanes('m', groupsOf(text), { cpu: 2, gpu: 3 }, usable, 'config.pbtxt');
}

describe('without a usable GPU', () => {
  it('groups run on the CPU, and add up to lanes', () => {
    expect(plan('instance_group [ { count: 3 }, { name: "g" kind: KIND_CPU } ]', 0)).toEqual({
      groups: [
        { name: 'm_0', kind: 'KIND_CPU', count: 3, gpus: [] },
        { name: 'g', kind: 'KIND_CPU', count: 2, gpus: [] },
      ],
      gpus: [],
      lanes: 5,
      lanesIfFaster: false,
      warnings: [],
    });
  });

  it.each(['', 'instance_group { }', 'instance_group { kind: KIND_CPU }', 'instance_group { kind: KIND_MODEL }'])(
    'the engine may find that one lane does as much, where nobody asks for a number: %s',
    (text) => {
      expect(plan(text, 0)).toMatchObject({ lanes: 2, lanesIfFaster: true, gpus: [] });
    },
  );

  it('a group that leaves the device open runs on the CPU, whatever GPUs it names', () => {
    expect(plan('instance_group { gpus: [ 0, 5 ] count: 1 }', 0)).toMatchObject({ gpus: [], lanes: 1 });
  });

  it('a group that asks for GPUs fails with the reason why there is none', () => {
    expect(() => plan('instance_group [ { count: 1 }, { kind: KIND_GPU } ]', 0)).toThrow(
      expect.objectContaining({
        code: 'ERR_GPU_UNAVAILABLE',
        message: 'config.pbtxt: instance_group[1].kind: KIND_GPU, but no GPU can be used: the driver is asleep',
      }),
    );
  });
});

describe('with usable GPUs', () => {
  it.each(['', 'instance_group { }', 'instance_group { kind: KIND_GPU }', 'instance_group { kind: KIND_MODEL }'])(
    'a model runs on every one of them, with as many lanes each as overlap well: %s',
    (text) => {
      expect(plan(text, 2)).toEqual({
        groups: [{ name: 'm_0', kind: 'KIND_GPU', count: 3, gpus: [0, 1] }],
        gpus: ['GPU-0', 'GPU-1'],
        lanes: 6,
        lanesIfFaster: false,
        warnings: [],
      });
    },
  );

  it('a count is that of each GPU', () => {
    expect(plan('instance_group { count: 1 gpus: [ 2, 0, 2 ] }', 3)).toMatchObject({
      groups: [{ count: 1, gpus: [0, 2] }],
      gpus: ['GPU-0', 'GPU-2'],
      lanes: 2,
    });
  });

  it('a group may stay on the CPU', () => {
    expect(plan('instance_group { kind: KIND_CPU }', 2)).toMatchObject({ gpus: [], lanes: 2, lanesIfFaster: true });
  });

  it('groups of different GPUs are kept apart, those of the same GPU add up', () => {
    expect(plan('instance_group [ { count: 2 gpus: 0 }, { count: 1 gpus: [ 1, 0 ] }, { count: 2 gpus: 1 } ]', 2)).toMatchObject({
      groups: [
        { count: 2, gpus: [0] },
        { count: 1, gpus: [0, 1] },
        { count: 2, gpus: [1] },
      ],
      lanes: 6,
      warnings: [],
    });
  });

  it('every GPU gets the largest number of lanes where they differ, with a warning', () => {
    expect(plan('instance_group [ { name: "a" count: 4 gpus: 1 }, { count: 1 gpus: 0 } ]', 2)).toMatchObject({
      groups: [{ name: 'a', count: 4, gpus: [0, 1] }],
      lanes: 8,
      warnings: ['instance_group: found 1 on GPU 0, 4 on GPU 1; each of them gets 4'],
    });
  });

  it.each([
    [
      'instance_group { gpus: [ 0, 2 ] }',
      'instance_group[0].gpus[1]: found 2, expected an index from 0 to 1: this process has 2 usable GPUs',
    ],
    ['instance_group [ { kind: KIND_CPU }, { } ]', 'instance_group: found KIND_CPU and KIND_GPU, expected groups of one kind'],
    ['instance_group { kind: KIND_CPU gpus: 0 }', 'instance_group[0].gpus: found 0, expected none, because kind is KIND_CPU'],
    ['instance_group { count: 200 }', 'instance_group: found 400 instances, expected 256 at most, all devices together'],
  ])('what cannot be done is refused with what was found and expected: %s', (text, message) => {
    expect(() => plan(text, 2)).toThrow(
      expect.objectContaining({ code: 'ERR_MODEL_CONFIG', message: expect.stringContaining(message) as string }),
    );
  });
});

it('only a group of KIND_GPU insists on GPUs', () => {
  expect(insistsOnGpus(groupsOf('instance_group [ { }, { kind: KIND_GPU } ]'))).toBe(true);
  expect(insistsOnGpus(groupsOf('instance_group [ { gpus: 0 }, { kind: KIND_MODEL } ]'))).toBe(false);
  expect(insistsOnGpus([])).toBe(false);
});
