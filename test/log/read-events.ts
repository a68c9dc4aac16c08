// Event files as TensorBoard's own reader understands them, where Python has it.
import { execFileSync } from "node:child_process";

const python = process.env.VIDEOMAE_PYTHON ?? "python3";

/** Whether tests must do without the reader; says so. */
export function skipWithoutTensorBoard(): boolean {
  try {
    execFileSync(python, ["-c", "import tensorboard"], { stdio: "ignore" });
    return false;
  } catch {
    console.log("skipped: no Python with TensorBoard; name one in VIDEOMAE_PYTHON");
    return true;
  }
}

export interface ReadEvents {
  /** [step, value] by name. */
  readonly scalars: Readonly<Record<string, [number, number][]>>;
  /** [step, width, height, bytes] by name. */
  readonly images: Readonly<Record<string, [number, number, number, number][]>>;
}

const SCRIPT = `
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "images": 0})
events.Reload()
tags = events.Tags()
print(json.dumps({
  "scalars": {tag: [[e.step, e.value] for e in events.Scalars(tag)] for tag in tags["scalars"]},
  "images": {tag: [[e.step, e.width, e.height, len(e.encoded_image_string)] for e in events.Images(tag)]
             for tag in tags["images"]}}))`;

/** Everything in the event files of a folder. */
export function readEvents(folder: string): ReadEvents {
  const stdio: ["ignore", "pipe", "ignore"] = ["ignore", "pipe", "ignore"];
  return JSON.parse(execFileSync(python, ["-c", SCRIPT, folder], { encoding: "utf8", stdio }));
}
