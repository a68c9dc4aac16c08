// `videomae watch <run>`: a page that shows a run while it goes on.
import { once } from "node:events";
import { Command } from "commander";
import { watchRun } from "../watch/watch-run.js";
import { interruptible } from "./interrupt.js";
import { parseNumber } from "./values.js";

interface WatchFlags {
  readonly host?: string;
  readonly port?: number;
}

export function watchCommand(): Command {
  return new Command("watch")
    .argument("<run>", "the folder of a run or of a progressive training; it need not be there yet")
    .option("--host <address>", "address to listen on (default: 127.0.0.1, which only this machine sees)")
    .option("--port <port>", "0 takes any that is free (default: 6270)", parseNumber)
    .addHelpText(
      "after",
      `
Ctrl-C ends it. Nothing is written into the folder.

Example:
  videomae watch runs/small`,
    )
    .action(async (run: string, { host, port }: WatchFlags) => {
      const say = (line: string) => process.stderr.write(`${line}\n`);
      await interruptible(
        async (signal) => {
          const { url, loopback, close } = await watchRun(run, { host, port });
          console.log(url);
          if (!loopback) {
            say(
              `warning: there is no password; whoever reaches this machine on ${url} sees the run, its options and pictures`,
            );
          }
          if (!signal.aborted) await once(signal, "abort");
          await close();
        },
        () => say("\nno longer watching"),
      );
    });
}
