import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RECORD_KINDS, type RecordKind } from '../records/kinds.ts';
import { sampleId } from './batches.fixture.ts';
import { configureDestination } from './configure.ts';
import type { Exchange, Outcome } from './contract.ts';
import { assertNoSecret, enter, type PeerHarness } from './destination-world.fixture.ts';
import { MASK, maskCredentials, restoreMasked } from './masking.ts';

const CASES = {
  partial: 'says which records were not taken',
  refuse: 'tells a refusal apart',
  verifyRefused: 'verify tells a refusal',
  reject: 'tells records that cannot be taken apart',
  tooLarge: 'tells a delivery that is too large apart',
  marked: 'a test record is marked beside its text',
} as const;

interface DestinationHarness extends PeerHarness {
  /** Kinds of record that it delivers in this harness; default all that the type carries. */
  readonly kinds?: readonly RecordKind[];
  /** What this kind of destination cannot do, each with the reason. */
  readonly deviations?: { readonly [name in keyof typeof CASES]?: string };
  /** The most records of one delivery in these tests, where the connector sends fewer than 40 at a time. */
  readonly most?: number;
}

/**
 * The behaviour of every connector. Run by each connector's test with a harness that starts a peer;
 * time stands still unless a test moves it, so that nothing depends on a real timeout.
 */
export function testDestination(name: string, harness: DestinationHarness): void {
  const { type, kinds = harness.type.kinds ?? RECORD_KINDS, deviations = {}, most = 40 } = harness;
  const [kind] = kinds as [RecordKind];
  const unless = (reason: string | undefined) => (reason === undefined ? {} : { skip: reason });

  describe(`${name}: the contract of destinations`, { timeout: 60_000 }, () => {
    test('its schema describes each field, and its configuration shows no secret', async (t) => {
      const { peer } = await enter(t, harness);
      for (const [field, property] of Object.entries(type.credentials.properties)) {
        const { title, description } = property as { title?: string; description?: string };
        assert.ok(title && description, `${field} needs a title and a description`);
      }
      assert.match(type.icon, /^M[\d\s.,a-zA-Z-]+$/, 'its icon is a path');
      assert.ok(type.setup.length > 0, 'its setup guide has a step');
      const configured = configureDestination(type, peer.credentials, harness.format);
      assert.ok(configured.type === 'configured', JSON.stringify(configured));
      assert.ok(type.formats.includes(configured.format));
      assertNoSecret([configured.configured.target, configured.configured.identity], peer);
      const masked = maskCredentials(type.credentials, configured.credentials);
      assertNoSecret(masked, peer);
      if (peer.secrets.length > 0) assert.ok(JSON.stringify(masked).includes(MASK));
      const restored = restoreMasked(type.credentials, masked, configured.credentials);
      assert.ok(restored.type === 'restored');
      const { credentials, format, configured: made } = configured;
      const stored = { credentials, format, identity: made.identity };
      const again = configureDestination(type, masked, harness.format, stored);
      assert.ok(again.type === 'configured', JSON.stringify(again));
    });

    for (const each of kinds) {
      test(`delivers ${each} records, in order`, async (t) => {
        const { deliver, peer } = await enter(t, harness);
        const outcome = await deliver({ kind: each, to: most, blocks: most > 3 ? 3 : 1 });
        assert.equal(outcome.type, 'delivered', JSON.stringify(outcome));
        assert.deepEqual(peer.taken(), ids(0, most));
      });
    }

    test(CASES.marked, unless(deviations.marked), async (t) => {
      const { deliver, deliverTest, peer } = await enter(t, harness);
      const sent = async (delivered: Promise<{ readonly type?: string }>) => {
        const before = peer.requests.length;
        await delivered;
        return peer.requests.slice(before).map(({ headers, body }) => JSON.stringify([headers, `${body}`]));
      };
      const marks = /simstream-test[\\"]+[:,][\\"]+true/i;
      assert.equal((await sent(deliver({ kind, to: 1 }))).filter((text) => marks.test(text)).length, 0);
      assert.equal(
        (await sent(deliverTest(kind).then(() => ({})))).filter((text) => marks.test(text)).length,
        1,
      );
    });

    for (const each of kinds) {
      test(`delivers a test record of ${each}`, async (t) => {
        const { deliverTest, peer } = await enter(t, harness);
        const { outcome, cause } = await deliverTest(each);
        assert.equal(outcome, 'delivered', cause?.message);
        assert.deepEqual(peer.taken(), ['0']);
        peer.behave('refuse');
        assert.equal((await deliverTest(each)).outcome, deviations.refuse ? 'delivered' : 'refused');
        assert.deepEqual(peer.taken(), deviations.refuse ? ['0', '0'] : ['0']);
      });
    }

    test('notes what was sent and answered, without its secrets', async (t) => {
      const { deliver, peer } = await enter(t, harness);
      const noting = async (failuresOnly: boolean) => {
        const exchanges: Exchange[] = [];
        await deliver({ kind, to: 1, notes: { failuresOnly, note: (exchange) => exchanges.push(exchange) } });
        assertNoSecret(exchanges, peer);
        return exchanges;
      };
      const [first, ...more] = await noting(false);
      assert.ok(first?.answer && first.answer.status < 300 && more.length === 0, JSON.stringify(first));
      assert.match(first.method, /^(POST|PUT)$/);
      assert.deepEqual(await noting(true), []);
      peer.behave('busy');
      const refused = await noting(true);
      assert.ok(refused[0]?.answer, JSON.stringify(refused));
      peer.behave('close');
      const [unanswered] = await noting(true);
      assert.ok(unanswered && !unanswered.answer, JSON.stringify(unanswered));
    });

    test('delivers a single record, and then others', async (t) => {
      const { deliver, peer } = await enter(t, harness);
      assert.equal((await deliver({ kind, to: 1 })).type, 'delivered');
      assert.equal((await deliver({ kind, from: 1, to: 1 + most })).type, 'delivered');
      assert.deepEqual(peer.taken(), ids(0, 1 + most));
    });

    test('a busy peer: try again, and then it is delivered', async (t) => {
      const { deliver, peer } = await enter(t, harness);
      peer.behave('busy');
      const outcome = await deliver({ kind, to: most });
      assert.ok(nothingTaken(outcome, most, 'retry'), JSON.stringify(outcome));
      assert.deepEqual(peer.taken(), []);
      peer.behave('ok');
      assert.equal((await deliver({ kind, to: most })).type, 'delivered');
      assert.deepEqual(peer.taken(), ids(0, most));
    });

    test(CASES.partial, unless(deviations.partial), async (t) => {
      const { deliver, peer } = await enter(t, harness);
      peer.behave('half');
      const outcome = await deliver({ kind, to: most });
      assert.ok(outcome.type === 'partial', JSON.stringify(outcome));
      const taken = new Set(peer.taken());
      assert.ok(taken.size > 0 && taken.size < most, 'the peer takes some of the records');
      const missing = ids(0, most).flatMap((id, index) => (taken.has(id) ? [] : [index]));
      assert.deepEqual(outcome.failures.map(({ index }) => index).sort(ascending), missing);
    });

    test(CASES.refuse, unless(deviations.refuse), async (t) => {
      const { deliver, peer } = await enter(t, harness);
      peer.behave('refuse');
      const outcome = await deliver({ kind, to: most });
      assert.equal(outcome.type, 'refused', JSON.stringify(outcome));
      assert.deepEqual(peer.taken(), []);
    });

    test(CASES.reject, unless(deviations.reject), async (t) => {
      const { deliver, peer } = await enter(t, harness);
      peer.behave('reject');
      const outcome = await deliver({ kind, to: most });
      const rejected = outcome.type === 'rejected' || nothingTaken(outcome, most, 'reject');
      assert.ok(rejected, JSON.stringify(outcome));
      assert.deepEqual(peer.taken(), []);
    });

    test(CASES.tooLarge, unless(deviations.tooLarge), async (t) => {
      const { deliver, peer } = await enter(t, harness);
      peer.behave('too_large');
      assert.equal((await deliver({ kind, to: most })).type, 'too_large');
      assert.deepEqual(peer.taken(), []);
    });

    test('a peer that closes the connection after reading: try again', async (t) => {
      const { deliver, peer } = await enter(t, harness);
      peer.behave('close');
      const outcome = await deliver({ kind, to: most });
      assert.ok(nothingTaken(outcome, most, 'retry'), JSON.stringify(outcome));
      peer.behave('ok');
      assert.equal((await deliver({ kind, to: most })).type, 'delivered');
    });

    test('a peer that never answers is given up in time: try again', async (t) => {
      const { deliver, peer, clock } = await enter(t, harness);
      peer.behave('hang');
      const reached = peer.reached();
      let outcome: Outcome | undefined;
      const delivering = deliver({ kind, to: most }).then((settled) => {
        outcome = settled;
      });
      await reached;
      for (let waited = 0; !outcome && waited < LONGEST_CALL_MS; waited += STEP_MS)
        await clock.advance(STEP_MS);
      assert.ok(outcome, `no outcome after ${LONGEST_CALL_MS / 60_000} minutes`);
      await delivering;
      assert.ok(nothingTaken(outcome, most, 'retry'), JSON.stringify(outcome));
    });

    test('a delivery that is broken off ends at once, at simstream’s expense, and leaves no connection', async (t) => {
      const { deliver, peer } = await enter(t, harness);
      peer.behave('hang');
      const breakOff = new AbortController();
      const reached = peer.reached();
      const delivering = deliver({ kind, to: most }, breakOff.signal);
      await reached;
      breakOff.abort(new Error('the test breaks off'));
      const outcome = await delivering;
      assert.equal(outcome.type, 'platform', JSON.stringify(outcome));
      await peer.disconnected();
      peer.behave('ok');
      assert.equal((await deliver({ kind, to: most })).type, 'delivered');
      assert.deepEqual(peer.taken(), ids(0, most));
    });

    test('what is broken off before it began is not sent', async (t) => {
      const { deliver, verify, peer } = await enter(t, harness);
      const outcome = await deliver({ kind, to: most }, AbortSignal.abort(new Error('the test breaks off')));
      assert.equal(outcome.type, 'platform', JSON.stringify(outcome));
      assert.equal((await verify(AbortSignal.abort())).type, 'failed');
      assert.deepEqual(peer.taken(), []);
    });

    test('a peer that is gone: try again; verify says so', async (t) => {
      const { deliver, verify, peer } = await enter(t, harness);
      await peer.stop();
      const outcome = await deliver({ kind, to: most });
      assert.equal(outcome.type, 'retry', JSON.stringify(outcome));
      assert.equal((await verify()).type, 'failed');
    });

    test('verify delivers nothing', async (t) => {
      const { verify, peer } = await enter(t, harness);
      assert.equal((await verify()).type, 'reachable');
      assert.deepEqual(peer.taken(), []);
    });

    test(CASES.verifyRefused, unless(deviations.verifyRefused), async (t) => {
      const { verify, peer } = await enter(t, harness);
      peer.behave('refuse');
      assert.equal((await verify()).type, 'failed');
    });

    test('a forbidden address is not connected to', async (t) => {
      const { deliver, verify, peer } = await enter(t, harness, '');
      const verdict = await verify();
      assert.ok(
        verdict.type === 'failed' && verdict.cause.code === 'forbidden_address',
        JSON.stringify(verdict),
      );
      const outcome = await deliver({ kind, to: most });
      assert.ok(
        outcome.type === 'refused' && outcome.cause.code === 'forbidden_address',
        JSON.stringify(outcome),
      );
      assert.deepEqual(peer.taken(), []);
    });

    test('closing gives back every connection', async (t) => {
      const { deliver, close, peer } = await enter(t, harness);
      assert.equal((await deliver({ kind, to: most })).type, 'delivered');
      await close();
      await peer.disconnected();
    });
  });
}

/** A delivery and all that a connector does for it takes less than this. */
const LONGEST_CALL_MS = 10 * 60_000;
const STEP_MS = 5_000;

function ids(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, n) => sampleId(from + n));
}

const ascending = (a: number, b: number) => a - b;

/** Whether the outcome leaves all records, as a whole or one by one, to the same end. */
function nothingTaken(outcome: Outcome, count: number, verdict: 'retry' | 'reject'): boolean {
  if (outcome.type !== 'partial') return outcome.type === (verdict === 'retry' ? 'retry' : 'rejected');
  return (
    outcome.failures.length === count && outcome.failures.every((failure) => failure.verdict === verdict)
  );
}
