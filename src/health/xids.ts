/**
 * What the driver's XID events mean to a process that uses the GPU. Numbers and wanted actions: NVIDIA's XID catalogue
 * (docs.nvidia.com/deploy/xid-errors, as mirrored by leptonai/gpud in 2025-10).
 */

/**
 * - `lost`: the GPU has left the bus.
 * - `hardware`: uncorrectable memory error; the GPU must be reset, which no process can do that uses it.
 * - `contained`: an uncorrectable error that hit one process; whether it was ours, the next run tells.
 * - `driver`: the driver or the GPU's own processor hangs; it may come back.
 * - `note`: nothing to do. Either a consequence of another event, or the fault of the program that ran, which that program's own calls report.
 */
export type XidClass = 'lost' | 'hardware' | 'contained' | 'driver' | 'note';

export interface XidMeaning {
  readonly class: XidClass;
  readonly words: string;
}

const MEANINGS: ReadonlyMap<number, XidMeaning> = new Map([
  [8, note('the GPU stopped processing')],
  [13, note('a program made the GPU fail')],
  [31, note('a program used a wrong address')],
  [43, note('the GPU stopped a program after a fault of its own')],
  [45, note('the GPU cleaned up after an earlier error')],
  [46, driver('the GPU stopped processing')],
  [48, { class: 'hardware', words: 'uncorrectable memory error' }],
  [62, driver("the GPU's own processor halted")],
  [63, note('a memory row is marked for remapping')],
  [64, { class: 'hardware', words: 'a memory row could not be remapped' }],
  [68, note('the video processor failed')],
  [74, note('an NVLink failed')],
  [79, { class: 'lost', words: 'the GPU has fallen off the bus' }],
  [92, note('many single-bit memory errors')],
  [94, { class: 'contained', words: 'a contained memory error' }],
  [95, { class: 'hardware', words: 'an uncontained memory error' }],
  [109, driver('the GPU did not switch to another program in time')],
  [119, driver("the GPU's system processor does not answer")],
  [120, driver("the GPU's system processor failed")],
  [140, { class: 'hardware', words: 'an unrecovered memory error' }],
  [143, driver('the GPU could not be initialised')],
  [154, note('the action that the driver wants has changed')],
  [158, driver('the GPU timed out')],
  [171, note('further detail about a memory error')],
  [172, note('further detail about a memory error')],
]);

/** A number that the catalogue gives no action for is a note. */
export function meaningOfXid(xid: number): XidMeaning {
  return MEANINGS.get(xid) ?? note('see the catalogue of XID errors');
}

function driver(words: string): XidMeaning {
  return { class: 'driver', words };
}

function note(words: string): XidMeaning {
  return { class: 'note', words };
}
