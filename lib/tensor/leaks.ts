// Leak reports. A tensor outside any scope belongs to the caller; one that is garbage-collected before dispose() is a
// mistake in the caller's code. Collection frees its memory, but only when the event loop turns: never rely on it.
const debug = process.env.VIDEOMAE_LEAKS === "1";

let leaked = 0;

const registry = new FinalizationRegistry<string>((made) => {
  leaked++;
  if (made !== "") process.emitWarning(`a tensor was never disposed of; it was made ${made}`, "VideomaeLeak");
});

/** Watches a tensor that no scope owns. With VIDEOMAE_LEAKS=1 the report says where it was made. */
export function watch(thing: object): void {
  registry.register(thing, debug ? (new Error("here").stack ?? "").split("\n").slice(2).join("\n") : "", thing);
}

/** Stops watching: it was disposed of. */
export function unwatch(thing: object): void {
  registry.unregister(thing);
}

/** How many tensors were collected without having been disposed of. */
export function leakedTensors(): number {
  return leaked;
}
