// Runs a benchmark's command line: a mistake of the user is one line on stderr and exit status 1, as in `videomae`.
import { VideomaeError } from "#lib/errors.js";

export async function runCommand(main: () => void | Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    const mistake =
      error instanceof VideomaeError || (error as NodeJS.ErrnoException).code?.startsWith("ERR_PARSE_ARGS");
    if (!mistake) throw error;
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}
