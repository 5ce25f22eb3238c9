import { after, before, describe } from 'node:test';
import { systemClock } from '../../src/lib/system-clock.ts';
import { createNatsRegistry } from '../../src/registry/nats.ts';
import { testRegistry } from '../../src/registry/registry.contract.ts';
import { type Nats, openNats, StoreUnavailable } from '../../src/storage/nats.ts';
import { type NatsServers, natsMissing, startNats } from '../support/nats-server.ts';

const skip = natsMissing() ?? false;

describe('the registry on NATS', { skip }, () => {
  let servers: NatsServers;
  before(async () => {
    servers = await startNats();
  });
  after(() => servers.dispose());

  let worlds = 0;
  testRegistry('NATS', {
    create: async () => {
      const prefix = `test-${++worlds}`;
      let nats: Nats | undefined;
      let failing = false;
      return {
        open: async () => {
          nats = await openNats({ servers: servers.urls, replicas: 1, clock: systemClock });
          const { publish } = nats;
          const failingPublish: Nats['publish'] = (...call) =>
            failing ? Promise.reject(new StoreUnavailable('no answer')) : publish(...call);
          return createNatsRegistry({ ...nats, publish: failingPublish }, { prefix });
        },
        close: async () => {
          await nats?.close();
          nats = undefined;
        },
        destroy: async () => {},
        failWrites: (fail) => {
          failing = fail;
        },
      };
    },
  });
});
