// The emulator as a device under test: its plug-in is built with the native tests. Without it these tests are skipped.
import { existsSync } from "node:fs";
import path from "node:path";

export const emulator = path.resolve(import.meta.dirname, "..", "build", "Emulator", "libvideomae_emu.so");

/** Whether the device `emu` is there; says so once when it is not. */
export const hasEmulator = existsSync(emulator) || sayMissing();

function sayMissing(): false {
  console.log("skipped: tests on the device emu need npm run build:native -- --emulator");
  return false;
}
