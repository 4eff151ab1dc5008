// The build: one script, one stylesheet and the page, under names that do not change, byte for byte the same each time.
import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  build: {
    outDir: "../src/sfumato/serve/explorer",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    reportCompressedSize: false,
    rollupOptions: {
      output: { entryFileNames: "app.js", assetFileNames: (one) => (one.names[0]?.endsWith(".css") ? "style.css" : "[name][extname]") },
    },
  },
});
