import { after, before, describe } from 'node:test';
import { type NatsServers, natsMissing, startNats } from '../../tests/support/nats-server.ts';
import { systemClock } from '../lib/system-clock.ts';
import { type Nats, openNats, StoreUnavailable } from '../storage/nats.ts';
import { testRegistry } from './contract-tests.ts';
import { createNatsRegistry } from './nats.ts';

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
