import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Misbehaviour } from '../support/aws-front.ts';
import { BadDays } from '../support/bad-days.ts';
import {
  checkArrivals,
  distinct,
  type Kind,
  type Scenario,
  startScenario,
} from '../support/connector-scenario.ts';
import { googleError, newServiceAccount, TestPubSub } from '../support/pub-sub-rest.ts';

const EMAIL = 'streamer@sim-operator.iam.gserviceaccount.com';
const OLD_PROJECT = 'iot-records';
const NEW_PROJECT = 'iot-records-2';
/** Requests of different endpoints that are under way at a time: 16 for each of two batches; without a key there is one. */
const UNDER_WAY_MOST = 32;
/** So many messages of a stream come before it moves. */
const BEFORE_MOVE = 1_000;

test('Pub/Sub: samples and 10,000 records, with and without order, while it misbehaves; another key and project on the way', {
  timeout: 180_000,
}, async (t) => {
  const account = newServiceAccount(EMAIL);
  const topics = [OLD_PROJECT, NEW_PROJECT].flatMap((project) => [
    topicOf(project, 'usage'),
    topicOf(project, 'events'),
  ]);
  const service = await TestPubSub.start(t, account, topics);
  const scenario = await startScenario(t, {
    CLOUDSDK_API_ENDPOINT_OVERRIDES_PUBSUB: service.url,
    GOOGLE_APPLICATION_CREDENTIALS: account.keyFile,
    METADATA_SERVER_DETECTION: 'none',
  });
  const peers = {
    usage: new Peer(service, 'usage', 10),
    events: new Peer(service, 'events', 400),
  };
  service.meets = ({ path, body }) => {
    const [, project = '', topic = ''] = /projects\/([^/]+)\/topics\/([^/]+):publish$/.exec(path) ?? [];
    return topic in peers ? peers[topic as Kind].meets(project, body) : undefined;
  };

  // The operator replaces the key of simstream's service account in its file and deletes the old one at Google.
  const lastKey = Promise.withResolvers<void>();
  const replaceKey = () => {
    service.account = newServiceAccount(EMAIL, account.keyFile);
    lastKey.resolve();
  };
  const [unordered, ordered] = await Promise.all([
    stream(scenario, peers.usage, { ordering_key: 'none', afterMove: replaceKey }),
    stream(scenario, peers.events, { ordering_key: 'endpoint_id', afterMove: () => lastKey.promise }),
  ]);
  await scenario.node.stop();

  assert.ok(service.notSignedIn > 0, 'the old key was in use until it ended');
  assert.ok(
    service.notSignedIn <= UNDER_WAY_MOST + 1,
    `the old key was used ${service.notSignedIn} times after its end`,
  );
  const shown = `${unordered.shown}${ordered.shown}${scenario.node.output()}`;
  assert.doesNotMatch(shown, /PRIVATE KEY|Bearer /);

  const any = peers.usage.messages().map(({ data, orderingKey }) => {
    assert.equal(orderingKey, '');
    // Without a key one request follows another: their order is that of the ingest.
    return { key: 'any', text: data };
  });
  // The move ends the requests that are under way, and some of those were taken.
  checkArrivals(any, unordered.texts, peers.usage.atRisk + peers.usage.largest);

  const byEndpoint = peers.events.messages().map(({ data, orderingKey, attributes }) => {
    const { endpoint } = JSON.parse(data) as { endpoint: { id: number } | null };
    assert.equal(orderingKey, endpoint ? String(endpoint.id) : '');
    const { record_type, record_id, event_type_id } = attributes;
    assert.equal(record_type, 'event');
    assert.ok(data.includes(`"id":${record_id},"event_type":{"id":${event_type_id},`), data);
    return { key: orderingKey, text: data };
  });
  checkArrivals(byEndpoint, ordered.texts, peers.events.atRisk + peers.events.largest * UNDER_WAY_MOST);
});

function topicOf(project: string, topic: string): string {
  return `projects/${project}/topics/${topic}`;
}

/** The topics of one stream, in its old project and its new one, and how they treat it. */
class Peer {
  readonly kind: Kind;
  readonly badDays: BadDays;
  /** Messages of requests that were taken without the node learning it. */
  atRisk = 0;
  /** The most messages in a request. */
  largest = 0;
  /** Requests to the old topic after the first to the new one. */
  late = 0;
  readonly #service: TestPubSub;
  #moved = false;

  constructor(service: TestPubSub, kind: Kind, round: number) {
    this.#service = service;
    this.kind = kind;
    this.badDays = new BadDays(round);
  }

  /** In the order in which they came. */
  messages(project?: string) {
    const projects = project === undefined ? [OLD_PROJECT, NEW_PROJECT] : [project];
    return projects.flatMap((one) => this.#service.messages(topicOf(one, this.kind)));
  }

  meets(project: string, body: Buffer): Misbehaviour | undefined {
    const { messages } = JSON.parse(body.toString()) as { messages: unknown[] };
    // The request that verifies a topic has no messages.
    if (messages.length === 0) return undefined;
    this.largest = Math.max(this.largest, messages.length);
    if (project === NEW_PROJECT) this.#moved = true;
    else if (this.#moved) this.late++;
    const bad = this.badDays.instead();
    if (bad !== undefined) {
      const { status } = bad as { status: number };
      return status === 429 ? THROTTLED : googleError(503, 'UNAVAILABLE', 'The service is unavailable.');
    }
    if (this.badDays.taken({ status: 200 }) !== 'close') return undefined;
    this.atRisk += messages.length;
    return 'drop_after';
  }
}

const THROTTLED = googleError(429, 'RESOURCE_EXHAUSTED', 'Quota exceeded.', [
  { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '0.5s' },
]);

interface Wanted {
  readonly ordering_key: 'none' | 'endpoint_id';
  /** Awaited between two requests of the ingest, after the stream has moved. */
  readonly afterMove: () => Promise<void> | void;
}

/** Streams all records of a kind to a topic, and from some moment on to one of another project. */
async function stream(scenario: Scenario, peer: Peer, { ordering_key, afterMove }: Wanted) {
  const { kind, badDays } = peer;
  const credentials = { cps_project: OLD_PROJECT, cps_topic: kind, ordering_key };
  const destination = { connection_type: 'PubSub', format: 'Json', credentials };
  const missing = { ...credentials, cps_topic: 'nowhere' };
  await assert.rejects(
    scenario.create(kind, { ...destination, credentials: missing }),
    /422 .*topic projects\/iot-records\/topics\/nowhere does not exist/s,
  );
  const id = await scenario.create(kind, destination);
  // Records keep coming while the stream moves, and while the key of the service account is replaced.
  const moves: Promise<void>[] = [];
  const texts = await scenario.ingest(kind, async (part) => {
    if (part === 3) {
      await scenario.arrived('the first messages', () => peer.messages().length >= BEFORE_MOVE || undefined);
      moves.push(scenario.rotate(id, destination, { cps_project: NEW_PROJECT }));
    }
    if (part !== 6) return;
    await Promise.all(moves);
    await scenario.arrived('the move', () => peer.messages(NEW_PROJECT).length || undefined);
    await afterMove();
  });
  const all = distinct(texts);
  await scenario.arrived('all records', () =>
    distinct(peer.messages().map(({ data }) => data)) >= all ? true : undefined,
  );
  const view = await scenario.arrived(
    'all records to be counted',
    async () => {
      const now = await scenario.stream(id);
      return now.progress.delivered >= texts.length ? now : undefined;
    },
    500,
  );
  const shown = await scenario.client.call('GET', `/api/v2/data_stream/${id}`, scenario.token);

  assert.ok(badDays.complete && peer.atRisk > 0, JSON.stringify(badDays.done));
  assert.equal(peer.late, 0, 'nothing is sent to the old topic once the new one has messages');
  assert.deepEqual(
    [view.status.description, view.progress.delivered, view.progress.quarantined],
    ['Running', texts.length, 0],
  );
  return { texts, shown: shown.text };
}
