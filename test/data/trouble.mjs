// Trouble inside the loader's threads, brought about by the names of files: loaded before anything else in every
// thread (`NODE_OPTIONS=--import`), it makes the first look at such a file hang, end the thread, use up its memory, or
// get stuck in a system call: opening a pipe that nobody writes to.
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { isMainThread } from "node:worker_threads";

const { openSync } = fs;
const troubles = {
  stuck: () => openSync(process.env.VIDEOMAE_TEST_PIPE, "r"),
  hang: () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0),
  exit: () => process.exit(7),
  hoard: () => {
    for (const hoard = []; ; ) hoard.push(new Array(1 << 16).fill(hoard.length));
  },
};

if (!isMainThread) {
  for (const call of ["statSync", "lstatSync", "openSync"]) {
    const original = fs[call];
    fs[call] = (path, ...rest) => {
      const name = Object.keys(troubles).find((trouble) => String(path).includes(`/${trouble}-`));
      if (name !== undefined) troubles[name]();
      return original(path, ...rest);
    };
  }
  syncBuiltinESMExports();
}
