import { defineConfig } from 'vite';

/** Builds the portal; scripts/build-portal.ts runs it, and says where to. */
export default defineConfig({
  root: 'src/portal',
  base: '/',
  logLevel: 'warn',
  build: {
    emptyOutDir: true,
    target: 'es2023',
    // The policy of the page allows no data URLs for scripts, and small files cost little over one connection.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1000,
    rolldownOptions: {
      // Mantine marks its files for servers that render React; a bundle for browsers has no use for that.
      onwarn: (warning, warn) => {
        if (warning.code !== 'MODULE_LEVEL_DIRECTIVE') warn(warning);
      },
    },
  },
});
