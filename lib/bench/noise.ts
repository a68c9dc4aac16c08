// Pixels to compute with: the same noise each time.

/** `count` bytes. */
export function noise(count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, i) => Math.imul(i, 2654435761) >>> 24);
}
