import type { RecordKind } from '../../src/records/block.ts';
import type { Chance } from './chance.ts';
import { rootOf, type Traits } from './matching.ts';
import { imsiOf } from './privacy.ts';
import type { Scene } from './scene.ts';

const POISON_SHARE = 0.01;

/**
 * A producer sends a request to a node, and again under its idempotency key when that has no answer. Without a key it
 * sends what is stored twice then under new ids, so that the model can tell the two apart.
 */
export async function produce(world: Scene, chance: Chance): Promise<string | undefined> {
  const kind = chance.pick(['usage', 'event', 'sms'] as const);
  const registered = [...world.organisations];
  const roots = registered.filter((id) => rootOf(id) === id);
  const root = chance.pick(roots);
  // Mostly of one tree; a carrier's request has records of all.
  const organisations = registered.filter((id) => rootOf(id) === root || chance.happens(0.1));
  const count = chance.happens(0.1) ? chance.between(50, 400) : chance.between(1, 12);
  const records = Array.from(
    { length: count },
    (): Traits => ({
      id: world.nextId(),
      kind,
      organisation: chance.pick(organisations),
      eventType: chance.between(1, 4),
      alert: chance.happens(0.3),
      endpoint: chance.between(1, 20),
      poison: chance.happens(POISON_SHARE),
    }),
  );
  for (const record of records) world.model.produced(record);
  const ids = records.map(({ id }) => id);
  const idempotencyKey = chance.happens(0.5) ? `key-${ids[0]}` : undefined;
  const text = records.map((record) => JSON.stringify(toJson(record))).join('\n');
  for (let tries = 0; tries < 3; tries++) {
    const node = world.someNode(chance);
    if (!node?.ingest) return undefined;
    const outcome = await node.ingest.accept({
      kind,
      body: Buffer.from(text),
      format: 'ndjson',
      skipInvalid: false,
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    });
    if (outcome.type === 'accepted') {
      world.model.acknowledged(ids);
      return `${count} ${kind} records ${ids[0]}–${ids.at(-1)} at ${node.name}`;
    }
    if (outcome.type !== 'busy') throw new Error(`the simulated producer is told ${outcome.type}`);
    if (idempotencyKey === undefined) return `busy: ${outcome.cause}`;
    await world.time.sleep(1_000);
  }
  return 'busy, given up';
}

function toJson({ id, organisation, kind, eventType, alert, endpoint }: Traits & { kind: RecordKind }) {
  const at = '2026-01-01T00:00:00Z';
  const common = {
    id,
    organisation: { id: organisation },
    endpoint: { id: endpoint },
    imsi: imsiOf(endpoint),
  };
  if (kind === 'sms') return { ...common, submit_date: '2026-01-01 00:00:00' };
  return kind === 'event'
    ? { ...common, timestamp: at, alert, event_type: { id: eventType } }
    : {
        ...common,
        traffic_type: { id: 5 },
        start_timestamp: at,
        end_timestamp: at,
        volume: { total: 1, rx: 0.5, tx: 0.5 },
        cost: 0.001,
      };
}
