/** What a replica runs on. */
import { usableCpus } from '../../config/cpu-limit.js';
import type { Placement } from '../measure/served-model.js';
import type { Hardware } from './prices.js';

/** As the measured servers said where they run the model. */
export function hardwareOf(placement: Placement): Hardware {
  const cpus = usableCpus();
  if (placement.kind === 'cpu') return { gpu: null, cpus };
  const { gpus } = placement;
  return { gpu: [...new Set(gpus)].join(', '), gpus: gpus.length, cpus };
}
