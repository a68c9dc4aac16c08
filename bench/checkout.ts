// Where things lie in the checkout.
import path from "node:path";
import { packageRoot } from "#lib/manifest.js";

export const checkout = packageRoot;

/** Where measured rows are kept. */
export const resultsFolder = path.join(checkout, "bench", "results");
