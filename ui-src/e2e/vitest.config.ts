// The configuration of the Chromium suite: in Node, one file after another, since few cores are shared with a browser.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    environment: "node",
    include: ["e2e/**/*.test.ts"],
    fileParallelism: false,
    // Tests that only look at a page run two at a time: most of their time is waiting.
    maxConcurrency: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
