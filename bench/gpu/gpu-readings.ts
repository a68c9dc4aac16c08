// The state of the GPU while things run: nvidia-smi prints a line a second, and rows are stamped with the latest one.
// It only reads; clocks, power limits and modes are left as they are found.
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

const QUERY = {
  name: "name",
  driver: "driver_version",
  clockSmMhz: "clocks.sm",
  clockMaxSmMhz: "clocks.max.sm",
  clockMemoryMhz: "clocks.mem",
  powerLimitWatt: "power.limit",
  powerDrawWatt: "power.draw",
  temperatureCelsius: "temperature.gpu",
  memoryUsedMiB: "memory.used",
  throttleReasons: "clocks_throttle_reasons.active",
} as const;

export type GpuReading = Record<keyof typeof QUERY, string | number>;

export class GpuReadings implements Disposable {
  readonly #child: ChildProcess;
  #latest: GpuReading | undefined;
  /** Settles at the first reading, or when there will be none. */
  readonly started: Promise<void>;

  /** @param program  nvidia-smi, or what stands in for it in a test */
  constructor(program = "nvidia-smi") {
    const fields = Object.values(QUERY).join(",");
    const format = ["--format=csv,noheader,nounits", "--loop=1"];
    this.#child = spawn(program, [`--query-gpu=${fields}`, ...format], { stdio: ["ignore", "pipe", "ignore"] });
    this.started = new Promise((resolve) => {
      this.#child.on("error", () => resolve()); // no driver here: rows carry no reading
      this.#child.on("exit", () => resolve());
      createInterface({ input: this.#child.stdout! }).on("line", (line) => {
        this.#latest = parseReading(line) ?? this.#latest;
        resolve();
      });
    });
  }

  /** The newest reading; undefined on a machine without a GPU. */
  get latest(): GpuReading | undefined {
    return this.#latest;
  }

  [Symbol.dispose](): void {
    this.#child.kill();
  }
}

/** One line of nvidia-smi, numbers as numbers; undefined when it is something else, e.g. an error message. */
export function parseReading(line: string): GpuReading | undefined {
  const values = line.split(", ").map((value) => value.trim());
  const names = Object.keys(QUERY) as (keyof typeof QUERY)[];
  if (values.length !== names.length) return undefined;
  const asRead = (value: string) => (/^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value);
  const readings = names.map((name, i) => [name, name === "driver" ? values[i] : asRead(values[i])]);
  return Object.fromEntries(readings) as GpuReading;
}
