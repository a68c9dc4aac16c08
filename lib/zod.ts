// zod, loaded when a schema is first made: its files take longer to load than all of the package's own.
import type * as zod from "zod";
import { library } from "./library.js";

const loaded = library<typeof zod>("zod");

/** As `import * as z from "zod"`; its types are those of "zod" itself. */
export const z: typeof zod = new Proxy({} as typeof zod, {
  get: (_, name) => Reflect.get(loaded(), name),
});
