import type { RecordKind } from './block.ts';
import { RECORD_EXAMPLES } from './examples.ts';

/** The ids of a test record: no platform uses the id 0, so a receiver can recognise the record. */
const NOTHING = 0;

/**
 * A record that looks like a real one: the example of its kind with 0 for every id except that of the organisation,
 * and with volume and cost 0. Its texts say that it is a test, for destinations that carry nothing but records.
 * @param now milliseconds since the epoch: the time of the event, or the end of the slice, which is a minute long
 */
export function testRecord(
  kind: RecordKind,
  organisation: { readonly id: number; readonly name: string },
  now: number,
): string {
  const example = JSON.parse(RECORD_EXAMPLES[kind]);
  const at = new Date(now).toISOString();
  const common = {
    id: NOTHING,
    organisation,
    endpoint: { ...example.endpoint, id: NOTHING, name: NAME, tags: null },
    sim: { ...example.sim, id: NOTHING },
  };
  if (kind === 'event') {
    return JSON.stringify({
      ...example,
      ...common,
      timestamp: at,
      event_type: { id: NOTHING, description: 'Generic' },
      description: 'A test record of simstream. Nothing happened.',
      imsi: { ...example.imsi, id: NOTHING },
      detail: null,
    });
  }
  if (kind === 'sms') {
    const { sim: _, ...rest } = common;
    return JSON.stringify({ ...example, ...rest, submit_date: at, payload: 'A test record of simstream.' });
  }
  return JSON.stringify({
    ...example,
    ...common,
    start_timestamp: new Date(now - 60_000).toISOString(),
    end_timestamp: at,
    imsi_id: NOTHING,
    operator: {
      ...example.operator,
      id: NOTHING,
      country: { ...example.operator.country, id: NOTHING },
    },
    tariff: { id: NOTHING, name: NAME, ratezone: { id: NOTHING, name: NAME } },
    volume: { total: 0, rx: 0, tx: 0 },
    cost: 0,
    session_id: 'simstream-test',
  });
}

const NAME = 'simstream test';
