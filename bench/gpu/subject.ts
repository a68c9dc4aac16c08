// The package in the bundle: how its commands are called, and what rows about the whole of it say.
import { origin } from "#lib/bench/machine.js";

export const videomae = [process.execPath, "dist/cli/main.js"];

export const ours = () => ({ system: "videomae", device: "cpu", ...origin() });
