// How the page is served in development, built and tested. The server embeds what lands in dist/;
// nothing here may depend on the machine or the folder, so that the same sources give the same bytes.
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const server = "http://127.0.0.1:8082";

export default defineConfig({
  base: "/",
  plugins: [react()],
  build: {
    outDir: "dist",
    sourcemap: false,
    // The licences of what is bundled ask to travel with it; the About page links to this file.
    license: { fileName: "licenses.txt" },
    // tools/budget.js watches what is loaded first; Swagger UI comes as one file of 1.5 MB, loaded when it is opened.
    chunkSizeWarningLimit: 1600,
    // Every browser of the build target preloads modules by itself.
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: { "/api": server, "/health": server },
  },
  test: {
    environment: "happy-dom",
    include: ["src/**/*.test.{ts,tsx}"],
    // The colours in styles/ are read by a test.
    css: true,
    restoreMocks: true,
    unstubGlobals: true,
  },
});
