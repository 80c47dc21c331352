import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

/** `GATEWAY_URL=http://127.0.0.1:8080 npm run dev` works against a running stack. */
const gateway = process.env.GATEWAY_URL ?? "http://127.0.0.1:8080";

export default defineConfig({
  base: "/app/",
  resolve: { alias: { "@": new URL("./src", import.meta.url).pathname } },
  plugins: [react(), tailwindcss()],
  build: { target: "es2022" },
  server: { proxy: { "/customer": gateway, "/local": gateway, "/app/config.json": gateway } },
  test: { environment: "happy-dom", include: ["src/**/*.test.{ts,tsx}"] },
});
