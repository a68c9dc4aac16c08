// How many clips a second the loader makes (lib/bench/loader.ts), in a process of its own.
//
//   npm run bench:clips -- --data train.csv --root /data --clips-of finetune --threads 1
//
// Prints one row (lib/bench/row.ts). Its opponent is peers/loader.py.
import { parseArgs } from "node:util";
import { VideomaeError } from "videomae";
import { measureLoader } from "#lib/bench/loader.js";
import { runCommand } from "./command.js";

await runCommand(async () => {
  const { values } = parseArgs({
    options: {
      data: { type: "string" },
      root: { type: "string" },
      source: { type: "string" },
      "clips-of": { type: "string", default: "finetune" },
      clips: { type: "string", default: "2" },
      threads: { type: "string", default: "1" },
      seconds: { type: "string", default: "8" },
      round: { type: "string" },
      quick: { type: "boolean", default: false },
    },
  });
  const { data, root, source = data, "clips-of": clipsOf, quick: tiny } = values;
  const refuse = (option: string, expected: string, got = "nothing") =>
    new VideomaeError({ op: `bench:clips --${option}`, expected, got });
  if (data === undefined || source === undefined) throw refuse("data", "a folder of videos or a list");
  if (clipsOf !== "pretrain" && clipsOf !== "finetune") throw refuse("clips-of", "pretrain or finetune", clipsOf);
  const [clips, workers] = [Number(values.clips), Number(values.threads)];
  const round = values.round ? Number(values.round) : undefined;
  const repeats = tiny ? { seconds: 0, least: 1, most: 1 } : { seconds: Number(values.seconds), least: 2, most: 50 };
  console.log(
    JSON.stringify(await measureLoader({ clipsOf, data, root, source, clips, workers, round, tiny }, repeats)),
  );
});
