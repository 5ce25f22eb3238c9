import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { sendTestRecord, type TestRecordResult } from '../delivery/watching/synthetic-record.ts';
import { ManualClock, seededRandom } from '../lib/manual-clock.fixture.ts';
import type { RecordKind } from '../records/kinds.ts';
import { type BatchOptions, sampleBatch, sampleFile } from './batches.fixture.ts';
import { configureDestination } from './configure.ts';
import type {
  Destination,
  DestinationEnvironment,
  DestinationType,
  Format,
  Notes,
  Outcome,
  Verdict,
} from './contract.ts';
import { createEgress } from './egress.ts';
import type { ReceivedRequest } from './http/peer.fixture.ts';

/** The behaviours that a test can set for the peer of a connector. */
export type PeerBehaviour =
  | 'ok'
  /** Takes nothing and asks to try later: throttling, 503. */
  | 'busy'
  /** Takes some of the records, at least one and not all. */
  | 'half'
  /** Takes nothing, because a person must fix something: wrong credentials, missing resource. */
  | 'refuse'
  /** Takes nothing, because a record is invalid. */
  | 'reject'
  /** Takes nothing, because the request is too large. */
  | 'too_large'
  /** Reads the delivery, and never answers. */
  | 'hang'
  /** Reads the delivery, and closes the connection. */
  | 'close';

/** The real or imitated other side of a connector, started for one test. */
export interface DestinationPeer {
  /** With which the connector delivers to this peer. */
  readonly credentials: Record<string, unknown>;
  /** The vendors' own variables for other endpoints. */
  readonly variables?: Record<string, string>;
  /** What in `credentials` no cause may show. */
  readonly secrets: readonly string[];
  behave(behaviour: PeerBehaviour): void;
  /** The ids of the records that it took, in order, as digits; sample records carry them. */
  taken(): readonly string[];
  /** All requests that it received, in order. */
  readonly requests: readonly ReceivedRequest[];
  /** Resolves when the next delivery has reached it. */
  reached(): Promise<void>;
  /** Resolves as soon as no connection to it is open. */
  disconnected(): Promise<void>;
  /** Goes away: its port is closed. Called at the end of each test, if not before. */
  stop(): Promise<void>;
}

/** A connector and how its peer is started. */
export interface PeerHarness {
  readonly type: DestinationType;
  readonly format?: Format;
  start(): Promise<DestinationPeer>;
}

interface World {
  readonly peer: DestinationPeer;
  readonly clock: ManualClock;
  deliver(options: SendOptions, signal?: AbortSignal): Promise<Outcome>;
  deliverTest(kind: RecordKind): Promise<TestRecordResult>;
  verify(signal?: AbortSignal): Promise<Verdict>;
  close(): Promise<void>;
}

/** A peer and the connector opened for it. Whatever the connector says is checked for secrets on the way. */
export async function enter(
  t: TestContext,
  harness: PeerHarness,
  allow = '127.0.0.0/8,::1/128',
): Promise<World> {
  const peer = await harness.start();
  const egress = createEgress({ allow });
  const clock = new ManualClock();
  const scratchDirectory = await mkdtemp(join(tmpdir(), 'simstream-test-'));
  const environment: DestinationEnvironment = {
    organisationId: 70412,
    streamId: 'a1b2c3d4',
    clock,
    random: seededRandom(1),
    egress,
    variables: peer.variables ?? {},
    scratchDirectory,
  };
  const configured = configureDestination(harness.type, peer.credentials, harness.format);
  assert.ok(configured.type === 'configured', JSON.stringify(configured));
  const destination = await configured.configured.open(environment);
  let closed = false;
  const close = async () => {
    if (closed) return;
    closed = true;
    await destination.close();
    await egress.close();
  };
  t.after(async () => {
    await close();
    await peer.stop();
    await rm(scratchDirectory, { recursive: true, force: true });
  });
  const never = new AbortController().signal;
  return {
    peer,
    clock,
    close,
    deliver: async (options, signal = never) => {
      const outcome = await send(destination, options, signal);
      causesOf(outcome).forEach(assertPresentable);
      assertNoSecret(outcome, peer);
      return outcome;
    },
    deliverTest: async (kind) => {
      const stream = { id: environment.streamId, organisationId: environment.organisationId, kind };
      const result = await sendTestRecord(environment, stream, 'Nordlicht Metering', destination, never);
      assertNoSecret(result, peer);
      return result;
    },
    verify: async (signal = never) => {
      const verdict = await destination.verify(signal);
      if (verdict.type === 'failed') assertPresentable(verdict.cause);
      assertNoSecret(verdict, peer);
      return verdict;
    },
  };
}

interface SendOptions extends BatchOptions {
  readonly notes?: Notes;
}

const notesOf = ({ notes }: SendOptions) => (notes ? { notes } : {});

function send(destination: Destination, options: SendOptions, signal: AbortSignal): Promise<Outcome> {
  return destination.takes === 'batches'
    ? destination.send({ ...sampleBatch(options), ...notesOf(options) }, signal)
    : destination.store({ ...sampleFile(options), ...notesOf(options) }, signal);
}

function causesOf(outcome: Outcome) {
  if (outcome.type === 'delivered') return [];
  return outcome.type === 'partial' ? outcome.failures.map(({ cause }) => cause) : [outcome.cause];
}

/** A cause is one line of words for a person, and a code that a chart can count. */
function assertPresentable({ code, message }: { code: string; message: string }): void {
  assert.match(code, /^[A-Za-z][A-Za-z0-9_.-]{1,63}$/);
  assert.match(message, /^[^\p{Cc}\n]{8,800}$/u);
}

export function assertNoSecret(shown: unknown, { secrets }: DestinationPeer): void {
  const text = JSON.stringify(shown);
  for (const secret of secrets) {
    assert.ok(!text.includes(JSON.stringify(secret).slice(1, -1)), `a secret shows in ${text}`);
  }
}
