// Collects garbage in worker threads, with `--expose-gc` and loaded by `NODE_OPTIONS=--import`. The engine sees only how
// small the decoder's objects are, not the native memory they stand for, and lets tens of thousands of them gather;
// collected often, what grows is what is never given back.
import { isMainThread } from "node:worker_threads";

if (!isMainThread) setInterval(() => globalThis.gc(), 500).unref();
