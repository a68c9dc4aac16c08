// How many blocks of a kernel are resident in a multiprocessor at once, and what keeps out more: the arithmetic of CUDA's
// occupancy calculator (cuda_occupancy.h), for a multiprocessor that gives all it can to shared memory.
//
// Registers are allocated to warps, 256 at a time, out of the part of one of four schedulers; shared memory 128 bytes at
// a time, of which the system takes 1 KiB a block.

const MULTIPROCESSORS = {
  80: { registers: 64 << 10, warps: 64, blocks: 32, sharedBytes: 164 << 10 },
  "90a": { registers: 64 << 10, warps: 64, blocks: 32, sharedBytes: 228 << 10 },
};
const SCHEDULERS = 4;
const WARP = 32;
const SYSTEM_BYTES = 1 << 10;

const roundUp = (count, unit) => Math.ceil(count / unit) * unit;

/** Bytes of shared memory that one block can have. */
export function largestSharedBytes(target) {
  return MULTIPROCESSORS[target].sharedBytes - SYSTEM_BYTES;
}

/**
 * @param target  "80" or "90a"
 * @param block  its registers a thread, threads, and bytes of static and dynamic shared memory
 * @returns blocks and warps in a multiprocessor, and the names of what allows no more
 */
export function occupancy(target, { registers, threads, sharedBytes }) {
  const multiprocessor = MULTIPROCESSORS[target];
  const warps = Math.ceil(threads / WARP);
  const warpsOfScheduler = Math.floor(multiprocessor.registers / SCHEDULERS / roundUp(WARP * registers, 256));
  const most = {
    registers: Math.floor((SCHEDULERS * warpsOfScheduler) / warps),
    "shared memory": Math.floor(multiprocessor.sharedBytes / roundUp(sharedBytes + SYSTEM_BYTES, 128)),
    threads: Math.floor(multiprocessor.warps / warps),
    blocks: multiprocessor.blocks,
  };
  const blocks = Math.min(...Object.values(most));
  return { blocks, warps: blocks * warps, limits: Object.keys(most).filter((name) => most[name] === blocks) };
}
