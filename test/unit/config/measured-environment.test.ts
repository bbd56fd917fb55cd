import { describe, expect, it } from 'vitest';
import { measuredEnvironment } from '../../../src/config/measured-environment.js';

describe('the environment of measured servers', () => {
  it('has what decides where models run, and no options of other servers', () => {
    const deciding = { CUDA_VISIBLE_DEVICES: '', LD_LIBRARY_PATH: '/cuda', NVIDIA_VISIBLE_DEVICES: 'all', PENSTOCK_GPU: 'off' };
    const others = { PENSTOCK_MAX_QUEUE_SIZE: '1', PENSTOCK_CONFIG: '/etc/p.yaml', NODE_OPTIONS: '--inspect', SECRET: 's' };
    expect(measuredEnvironment({ ...deciding, ...others, PATH: '/bin', HOME: undefined })).toEqual({
      whole: { ...deciding, PATH: '/bin' },
      deciding,
    });
  });
});
