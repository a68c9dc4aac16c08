import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    pool: "forks",
    maxWorkers: 3, // many tests wait for other processes
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Kernels that were measured on this machine are not those of tests; no such folder is there.
    env: { VIDEOMAE_CACHE: "/no-kernels-are-kept-here" },
  },
});
