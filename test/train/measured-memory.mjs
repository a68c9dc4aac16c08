// Trains for a moment and prints what a forecast said and what was taken: argument 1, the options of the run as JSON.
import { readFileSync } from "node:fs";
import { memory, pretrain, resetPeakMemory } from "videomae";
import { parsePretrainConfig } from "#lib/config/pretrain-config.js";
import { forecastMemory } from "#lib/train/memory-forecast.js";

const options = JSON.parse(process.argv[2]);
const forecast = forecastMemory(parsePretrainConfig(options));
const untouched = memory();
let peak = 0;
await pretrain(options, {
  // A clip that this process decodes is in the peak too, so the peak is that of the step alone.
  onStart: () => resetPeakMemory(),
  onStep: () => {
    peak = Math.max(peak, memory().peak);
  },
});
const held = Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"))[1]) * 1024;
console.log(JSON.stringify({ forecast, untouched, peak, held }));
