import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { seededRandom } from '../../lib/manual-clock.fixture.ts';
import { createFleet, createFleetInTurns, type FleetOptions } from './fleet.ts';

const START = Date.UTC(2026, 2, 17, 6);
const HOUR = 3_600_000;

function optionsOf(options: Partial<FleetOptions>): FleetOptions {
  return {
    devices: 60,
    organisations: [
      { id: 1001, name: 'Demo' },
      { id: 1002, name: 'Demo Süd' },
    ],
    random: seededRandom(7),
    startAt: START,
    ...options,
  };
}

const createTestFleet = (options: Partial<FleetOptions> = {}) => createFleet(optionsOf(options));

interface Usage {
  id: string;
  emittedAt: number;
  type: number;
  start: number;
  end: number;
  sim: number;
  operator: number;
  /** Millionths of a megabyte. */
  total: number;
  rx: number;
  tx: number;
  cost: string;
  session: string;
  organisation: number;
  text: string;
}

/** Decimal text to whole units of 10^-scale: the test's own reading, apart from what wrote it. */
function units(text: string, scale: number): number {
  const [whole = '', fraction = ''] = text.split('.');
  assert.ok(fraction.length <= scale, `${text} has more than ${scale} decimals`);
  return Number(whole + fraction.padEnd(scale, '0'));
}

function member(text: string, name: string): string {
  const found = new RegExp(`"${name}":(-?[0-9.eE+-]+)`).exec(text)?.[1];
  assert.ok(found !== undefined, `${name} in ${text}`);
  return found;
}

function readUsage(text: string, emittedAt: number): Usage {
  const record = JSON.parse(text);
  const volume = text.slice(text.indexOf('"volume"'));
  return {
    id: member(text, 'id'),
    emittedAt,
    type: record.traffic_type.id,
    start: Date.parse(record.start_timestamp),
    end: Date.parse(record.end_timestamp),
    sim: record.sim.id,
    operator: record.operator.id,
    total: units(member(volume, 'total'), 6),
    rx: units(member(volume, 'rx'), 6),
    tx: units(member(volume, 'tx'), 6),
    cost: member(text, 'cost'),
    session: record.session_id,
    organisation: record.organisation.id,
    text,
  };
}

// biome-ignore lint/suspicious/noExplicitAny: the shape of events is what the tests look at
type Event = any;

/** Lets a fleet live for some hours, minute by minute. */
function run(hours: number, options: Partial<FleetOptions> = {}) {
  const fleet = createTestFleet(options);
  const usage: Usage[] = [];
  const events: Event[] = [];
  const eventTexts: string[] = [];
  for (let at = START + 60_000; at <= START + hours * HOUR; at += 60_000) {
    const records = fleet.next(at);
    for (const text of records.usage) usage.push(readUsage(text, at));
    for (const text of records.events) {
      eventTexts.push(text);
      events.push({ ...JSON.parse(text), id: /"id":(\d+),"event_type"/.exec(text)?.[1] });
    }
  }
  return { usage, events, eventTexts };
}

const day = run(30);
const ofType = (...types: number[]) => day.events.filter(({ event_type }) => types.includes(event_type.id));
const opened = ofType(3).filter(({ detail }) => detail !== null);
const slicesBySession = Map.groupBy(
  day.usage.filter(({ type }) => type === 5),
  ({ session }) => session,
);

describe('data sessions', () => {
  test('every slice belongs to a session that was opened before it, in the network of the session', () => {
    const sessions = new Map(opened.map((event) => [event.detail.session_id, event]));
    const closes = new Map(ofType(5).map((event) => [event.detail.session_id, event]));
    assert.ok(slicesBySession.size > 200);
    for (const [id, slices] of slicesBySession) {
      const opening = sessions.get(id);
      assert.ok(opening, `session ${id} was never opened`);
      let end = Date.parse(opening.timestamp);
      for (const slice of slices) {
        assert.ok(slice.start >= end - 1000, 'slices overlap');
        assert.ok(slice.end >= slice.start);
        assert.equal(slice.sim, opening.sim.id);
        assert.equal(slice.operator, opening.detail.id);
        assert.equal(slice.organisation, opening.organisation.id);
        end = slice.end;
      }
      const closing = closes.get(id);
      if (closing) assert.ok(end < Date.parse(closing.timestamp) + 1000, 'a slice ends after its session');
    }
  });

  test('the slices of a session add up to the volume of its closing event, to the byte', () => {
    let compared = 0;
    for (const text of day.eventTexts) {
      const closing = JSON.parse(text);
      if (closing.event_type.id !== 5) continue;
      const slices = slicesBySession.get(closing.detail.session_id);
      // A session whose usage is late may not have been reported by the end of the run.
      if (!slices) continue;
      const volume = text.slice(text.lastIndexOf('"volume"'));
      for (const part of ['rx', 'tx', 'total'] as const) {
        const sum: number = slices.reduce((total, slice) => total + slice[part], 0);
        assert.equal(sum, units(member(volume, part), 6), closing.detail.session_id);
      }
      compared++;
    }
    assert.ok(compared > 200);
  });

  test('a slice is cut every 45 s of session, and holds at least 100 KB unless it is the last', () => {
    let cuts = 0;
    for (const slices of slicesBySession.values()) {
      for (const slice of slices.slice(0, -1)) {
        cuts++;
        assert.ok(slice.total >= 100_000, slice.text);
        assert.ok(slice.end - slice.start >= 45_000 && slice.end - slice.start < 45_000 * 80, slice.text);
      }
    }
    assert.ok(cuts > 100);
  });

  test('total is what was received and sent, and the cost is total times price, with up to ten decimals', () => {
    for (const { total, rx, tx, cost, type, text } of day.usage) {
      assert.equal(total, rx + tx);
      if (type !== 5) continue;
      const price = { 2206: 0.01, 2207: 0.0063, 2210: 0.0009 }[JSON.parse(text).tariff.id as 2206];
      assert.ok(Math.abs(Number(cost) - (total / 1e6) * price) < 1e-10, text);
    }
    assert.ok(day.usage.some(({ cost }) => (cost.split('.')[1] ?? '').length > 8));
  });

  test('some move nothing', () => {
    assert.ok(day.usage.some(({ total, cost }) => total === 0 && cost === '0'));
  });
});

describe('the record texts', () => {
  test('have no exponent in a number', () => {
    for (const { text } of day.usage) assert.doesNotMatch(text, /":-?[0-9.]+[eE]/);
    for (const text of day.eventTexts) assert.doesNotMatch(text, /":-?[0-9.]+[eE]/);
  });

  test('have ids that are unique and grow; event ids are above 2^53', () => {
    for (const records of [day.usage, day.events]) {
      let last = 0n;
      for (const { id } of records) {
        assert.ok(BigInt(id) > last, `${id} after ${last}`);
        assert.ok(BigInt(id) < 2n ** 63n);
        last = BigInt(id);
      }
    }
    assert.ok(day.events.every(({ id }) => BigInt(id) > 2n ** 53n));
    assert.ok(day.usage.every(({ id }) => BigInt(id) < 2n ** 53n));
  });

  test('have the members of usage records', () => {
    const record = JSON.parse((day.usage[0] as Usage).text);
    assert.equal(
      Object.keys(record).join(),
      'id,traffic_type,start_timestamp,end_timestamp,organisation,endpoint,sim,imsi_id,imsi,operator,tariff,volume,cost,currency,session_id',
    );
    assert.match(record.start_timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.match(record.end_timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.deepEqual(Object.keys(record.endpoint), ['id', 'name', 'ip_address', 'tags', 'imei', 'balance']);
    assert.match(record.endpoint.imei, /^\d{15}$/);
    assert.match(record.sim.iccid, /^\d{19}$/);
    assert.match(record.operator.mnc, /^\d\d$/);
    assert.deepEqual(Object.keys(record.tariff.ratezone), ['id', 'name']);
  });

  test('have the members of events in stream form', () => {
    for (const event of day.events) {
      assert.equal(
        Object.keys(event).sort().join(),
        'alert,description,detail,endpoint,event_severity,event_source,event_type,id,imsi,organisation,sim,timestamp,user',
      );
      assert.equal(event.alert, event.event_severity.description === 'WARN');
      assert.match(event.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    }
    const { detail } = opened[0] as Event;
    assert.equal(Object.keys(detail).join(), 'id,name,country,tapcode,mnc,session_id,pdp_context');
    assert.equal(typeof detail.pdp_context.tariff_id, 'string');
    const closed = ofType(5)[0].detail;
    assert.equal(closed.pdp_context.apn, null);
    assert.equal('tariff_id' in closed.pdp_context, false);
  });
});

describe('a fleet', () => {
  test('roams: a device that leaves a network turns up in another', () => {
    let moves = 0;
    const networks = new Map<number, number>();
    for (const event of ofType(2, 16)) {
      const before = networks.get(event.sim.id);
      if (event.event_type.id === 16) {
        assert.ok(before !== undefined, 'left a network in which it never was');
        continue;
      }
      if (before !== undefined) {
        moves++;
        assert.notEqual(event.detail.id, before);
      }
      networks.set(event.sim.id, event.detail.id);
    }
    assert.equal(networks.size, 60);
    for (const [sim, events] of Map.groupBy(ofType(2, 16), (event) => event.sim.id as number)) {
      const last = events.at(-1);
      const age = START + 30 * HOUR - Date.parse(last.timestamp);
      assert.ok(last.event_type.id === 2 || age <= 61_000, `${sim} never came back`);
    }
    assert.ok(moves > 20);
  });

  test('uses up quotas: threshold, used up, blocked, refused, and open again once more is assigned', () => {
    const stories = Map.groupBy(ofType(18, 19, 11, 3, 56), (event) => event.sim.id as number);
    let refused = 0;
    let restored = 0;
    for (const events of stories.values()) {
      let blocked = false;
      for (const { event_type, detail, alert } of events) {
        if (event_type.id === 19) assert.equal(typeof detail.quota.volume, 'string');
        if (event_type.id === 18) assert.equal(typeof detail.quota.volume, 'number');
        if (event_type.id === 11) blocked = true;
        if (event_type.id === 56) {
          assert.ok(blocked);
          blocked = false;
          restored++;
        }
        if (event_type.id !== 3) continue;
        assert.equal(detail === null, blocked, 'refused while and only while it is blocked');
        assert.equal(alert, blocked);
        if (blocked) refused++;
      }
    }
    assert.ok(refused > 5 && restored > 5, `${refused} refused, ${restored} restored`);
    assert.ok(ofType(18).length > 5);
  });

  test('sends short messages both ways', () => {
    const messages = day.usage.filter(({ type }) => type === 6);
    assert.ok(messages.some(({ rx, tx }) => rx === 1_000_000 && tx === 0));
    assert.ok(messages.some(({ rx, tx }) => rx === 0 && tx === 1_000_000));
  });

  test('reports some usage hours late, and most at once', () => {
    const late = day.usage.filter(({ end, emittedAt }) => emittedAt - end > 2 * HOUR - 60_000);
    const prompt = day.usage.filter(({ end, emittedAt }) => emittedAt - end <= 60_000);
    assert.ok(late.length > 3, `${late.length} late`);
    assert.equal(late.length + prompt.length, day.usage.length);
  });

  test('belongs to both organisations', () => {
    const share = day.usage.filter(({ organisation }) => organisation === 1002).length / day.usage.length;
    assert.ok(share > 0.02 && share < 0.6, String(share));
  });

  test('is the same for the same random numbers, and however often it is asked', () => {
    const whole = createTestFleet().next(START + HOUR);
    const other = createTestFleet();
    const parts = { usage: [] as string[], events: [] as string[], sms: [] as string[] };
    for (let at = START; at <= START + HOUR; at += 7000) {
      const { usage, events, sms } = other.next(Math.min(at, START + HOUR));
      parts.usage.push(...usage);
      parts.events.push(...events);
      parts.sms.push(...sms);
    }
    const rest = other.next(START + HOUR);
    assert.deepEqual(
      {
        usage: [...parts.usage, ...rest.usage],
        events: [...parts.events, ...rest.events],
        sms: [...parts.sms, ...rest.sms],
      },
      whole,
    );
    assert.notDeepEqual(createTestFleet({ random: seededRandom(8) }).next(START + HOUR), whole);
  });

  test('lives the same in many turns of the event loop, and lets others have theirs', async () => {
    const warm = () => optionsOf({ random: seededRandom(7), warmUp: 5 * HOUR });
    let turns = 0;
    const count = () => {
      turns++;
      counting = setImmediate(count);
    };
    let counting = setImmediate(count);
    const fleet = await createFleetInTurns(warm());
    clearImmediate(counting);
    assert.ok(turns >= 20, `${turns} turns`);
    assert.deepEqual(fleet.next(START + HOUR), createFleet(warm()).next(START + HOUR));
  });

  test('that is warmed up has sessions under way and late records of the days before, and none of the past', () => {
    const fleet = createTestFleet({ devices: 200, warmUp: 36 * HOUR });
    assert.ok(fleet.now < START);
    const { usage, events } = fleet.next(START + 10 * 60_000);
    assert.ok(usage.length > 100, `${usage.length} usage records in ten minutes`);
    for (const text of events) assert.ok(Date.parse(JSON.parse(text).timestamp) >= START);
    const first = fleet
      .next(START + HOUR)
      .usage.concat(usage)
      .map((text) => JSON.parse(text));
    assert.ok(first.some(({ end_timestamp }) => Date.parse(end_timestamp) < START - 2 * HOUR));
  });
});
