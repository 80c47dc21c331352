import { existsSync } from "node:fs";
import { defineConfig } from "@playwright/test";

/** `CONSOLE_URL` is a running stack's gateway; screenshots go to `SCREENSHOTS_DIR`. */
const chromium = process.env.CHROMIUM ?? "/usr/bin/chromium";

export default defineConfig({
  testDir: "e2e",
  testMatch: process.env.BENCH ? "*.bench.ts" : "*.spec.ts",
  outputDir: process.env.OUTPUT_DIR ?? "test-results",
  timeout: process.env.BENCH ? 180_000 : 60_000,
  expect: { timeout: 10_000 },
  workers: 1,
  forbidOnly: true,
  reporter: [["list"]],
  use: {
    baseURL: process.env.CONSOLE_URL ?? "http://127.0.0.1:8080",
    viewport: { width: 1440, height: 900 },
    locale: "en-GB",
    reducedMotion: "reduce",
    launchOptions: {
      ...(existsSync(chromium) && { executablePath: chromium }),
      args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
    },
  },
});
