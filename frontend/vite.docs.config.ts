import { defineConfig } from "vite";

/** The API's page, at `/docs` of the gateway; it lies beside the console's, in `dist/docs`. */
export default defineConfig({
  root: new URL("./docs", import.meta.url).pathname,
  base: "/docs/",
  build: { target: "es2022", outDir: "../dist/docs", emptyOutDir: true, chunkSizeWarningLimit: 2_000 },
});
