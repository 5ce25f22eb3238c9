import { createMemoryRegistry, memoryRegistryStorage } from './memory.ts';
import { testRegistry } from './registry.contract.ts';

testRegistry('memory', {
  create: async () => {
    const storage = memoryRegistryStorage();
    let failing = false;
    return {
      open: async () =>
        createMemoryRegistry({
          storage,
          sync: async () => {
            if (failing) throw new Error('no space left');
          },
        }),
      close: async () => {},
      destroy: async () => {},
      failWrites: (fail) => {
        failing = fail;
      },
    };
  },
});
