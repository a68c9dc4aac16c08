// The folder of the package: the checkout, or where it is installed.
import path from "node:path";

/** dist/bench/ lies two below it. */
export const packageRoot = path.resolve(import.meta.dirname, "..", "..");
