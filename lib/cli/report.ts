// `videomae report <run>`: one HTML file that shows a run.
import { Command } from "commander";
import { writeRunReport } from "../report/run-report.js";
import { parseNumber } from "./values.js";

interface ReportFlags {
  readonly out?: string;
  readonly clips?: string;
  readonly limit?: number;
}

export function reportCommand(): Command {
  return new Command("report")
    .argument("<run>", "the folder of a run")
    .option("--out <file>", "the page (default: report.html in the folder)")
    .option("--clips <data>", "a video, folder or list to show reconstructions of (default: the run's own data)")
    .option("--limit <count>", "at most so many reconstructions (default: 4)", parseNumber)
    .addHelpText(
      "after",
      `
Example:
  videomae report runs/small --clips held-out/`,
    )
    .action(async (run: string, { out, clips, limit }: ReportFlags) => {
      console.log(await writeRunReport(run, { out, reconstructions: { data: clips, limit } }));
    });
}
