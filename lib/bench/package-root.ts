// The folder of the package: the checkout, or where it is installed.
import path from "node:path";
import { fileURLToPath } from "node:url";

/** dist/bench/ lies two below it. */
export const packageRoot = path.resolve(fileURLToPath(new URL("../..", import.meta.url)));
