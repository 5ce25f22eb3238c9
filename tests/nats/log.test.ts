import { after, before, describe } from 'node:test';
import { ManualClock } from '../../src/lib/manual-clock.ts';
import { systemClock } from '../../src/lib/system-clock.ts';
import { testRecordLog } from '../../src/log/contract-tests.ts';
import { PARTITIONS } from '../../src/log/contract-world.ts';
import { createNatsLog } from '../../src/log/nats.ts';
import { type Nats, openNats, StoreUnavailable } from '../../src/storage/nats.ts';
import { type NatsServers, natsMissing, startNats } from '../support/nats-server.ts';

const skip = natsMissing() ?? false;
const RETENTION_MS = 7 * 86_400_000;

describe('the record log on NATS', { skip }, () => {
  let servers: NatsServers;
  before(async () => {
    servers = await startNats();
  });
  after(() => servers.dispose());

  let worlds = 0;
  testRecordLog('NATS', {
    create: async () => {
      const prefix = `test-${++worlds}`;
      const clock = new ManualClock();
      let nats: Nats | undefined;
      let failing = false;
      const open = async () => openNats({ servers: servers.urls, replicas: 1, clock: systemClock });
      return {
        clock,
        open: async ({ partitions = PARTITIONS, ...options } = {}) => {
          // An open that failed left its connection.
          await nats?.close();
          nats = await open();
          const { publish } = nats;
          const failingPublish: Nats['publish'] = (...call) =>
            failing ? Promise.reject(new StoreUnavailable('no answer')) : publish(...call);
          return createNatsLog(
            { ...nats, publish: failingPublish },
            { partitions, clock, retentionMs: RETENTION_MS, prefix, ...options },
          );
        },
        close: async () => {
          await nats?.close();
          nats = undefined;
        },
        destroy: async () => {},
        tamper: async (partition, sequence, change) => {
          const opened = await open();
          await replaceMessage(opened, `${prefix}-log-${partition}`, sequence, change);
          await opened.close();
        },
        failWrites: (fail) => {
          failing = fail;
        },
      };
    },
  });
});

/** JetStream changes no message: the stream is made anew with another one in its place. */
async function replaceMessage(
  { manager, jetstream }: Nats,
  stream: string,
  sequence: number,
  change: (bytes: Uint8Array) => Uint8Array | undefined,
): Promise<void> {
  const { config, state } = await manager.streams.info(stream);
  const messages: Uint8Array[] = [];
  const missing: number[] = [];
  for (let at = 1; at <= state.last_seq; at++) {
    const bytes = (await manager.streams.getMessage(stream, { seq: at }))?.data;
    const changed = bytes && at === sequence ? change(bytes) : bytes;
    if (!changed) missing.push(at);
    messages.push(changed ?? new Uint8Array(0));
  }
  await manager.streams.delete(stream);
  await manager.streams.add(config);
  for (const bytes of messages) await jetstream.publish(config.subjects[0] as string, bytes);
  for (const at of missing) await manager.streams.deleteMessage(stream, at);
}
