import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    pool: "forks",
    maxWorkers: 3, // many tests wait for other processes
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
