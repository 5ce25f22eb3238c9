import assert from 'node:assert/strict';
import { createAccounts } from '../auth/accounts.ts';
import { createAudit } from '../auth/audit.ts';
import { createAuthorizeOperator, type Identity } from '../auth/identity.ts';
import { createRateLimits } from '../auth/rate-limit.ts';
import { createSealer } from '../auth/seal.ts';
import { secretOf } from '../auth/secret.ts';
import type { Preview } from '../delivery/watching/preview.ts';
import type { TestRecordResult } from '../delivery/watching/synthetic-record.ts';
import type { DestinationType, Verdict } from '../destinations/contract.ts';
import { restApi } from '../destinations/http/rest-api.ts';
import { ApiError } from '../errors.ts';
import { ManualClock, seededRandom } from '../lib/manual-clock.fixture.ts';
import {
  type DataStreamDocument,
  type ProgressDocument,
  progressKey,
  streamKey,
} from '../registry/data-stream.ts';
import { createMemoryRegistry, type memoryRegistryStorage } from '../registry/memory.ts';
import type { Json, Registry } from '../registry/registry.ts';
import { createApp } from './app.ts';
import { type CallResult, checkAnswer } from './checked-answer.fixture.ts';
import type { DataStreamActivityParts } from './data-streams/activity.ts';
import type { EventParts } from './events.ts';
import { TEST_TYPES } from './letterbox.fixture.ts';
import type { Route } from './route.ts';
import { apiRoutes } from './routes.ts';
import { EXCHANGE, NODES } from './sample-answers.fixture.ts';
import { servedBy } from './served-routes.fixture.ts';

/** For tests: the whole API over a registry in memory, called by `inject`; every answer is checked against its route. */

export const OPERATOR_TOKEN = 'operator-token-of-the-tests';
/** Bearer tokens and their holders. */
export const IDENTITIES: Readonly<Record<string, Identity>> = {
  ada: { organisationId: 1, organisationName: 'One', role: 'administrator', actor: 'user:ada' },
  uwe: { organisationId: 1, organisationName: 'One', role: 'user', actor: 'user:uwe' },
  otto: { organisationId: 1, organisationName: 'One', role: 'observer', actor: 'user:otto' },
  // A program of organisation 1.
  apo: { organisationId: 1, organisationName: 'One', role: 'administrator', actor: 'application:9' },
  bea: { organisationId: 2, organisationName: 'Two', role: 'administrator', actor: 'application:7' },
};
export const DAY = 86_400_000;
export interface CallOptions {
  /** The test needs only the text of the answer: it is not parsed, and not compared with its schema. */
  readonly unchecked?: boolean;
  readonly token?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ApiFixture {
  readonly clock: ManualClock;
  readonly registry: Registry;
  readonly routes: readonly Route[];
  /** Everything that the application serves, as Fastify knows it: method and pattern of the path. */
  readonly served: readonly string[];
  /** Unexpected errors in the log; a test that leaves some fails in `close`. */
  readonly logged: unknown[];
  /** The answers of verification, and its calls. */
  readonly verification: { verdict: Verdict; readonly asked: string[]; before?: () => Promise<void> };
  /** The results of test records, and the streams that got some. */
  readonly testRecords: { result: TestRecordResult; readonly asked: string[] };
  /** Deleted streams that were reported to others. */
  readonly forgotten: string[];
  call(method: Route['method'], url: string, options?: CallOptions): Promise<CallResult>;
  /** Creates a stream and gives its id. */
  create(body?: object, token?: string): Promise<string>;
  document(id: string, organisationId?: number): Promise<DataStreamDocument | undefined>;
  /** A stream's credentials as they are stored, unsealed. */
  credentials(id: string): Promise<unknown>;
  /** Plays the engine. */
  progress(id: string, progress?: Partial<ProgressDocument>, organisationId?: number): Promise<void>;
  /** Every key and value in the registry. */
  everything(): Promise<string>;
  close(): Promise<void>;
}

interface FixtureOptions extends Partial<Pick<DataStreamActivityParts, 'activity' | 'tail'>> {
  readonly preview?: () => Promise<Preview>;
  readonly events?: EventParts['events'];
  /** Where the registry keeps its documents. */
  readonly storage?: ReturnType<typeof memoryRegistryStorage>;
  readonly mostStreams?: number;
  readonly verifyDestinations?: boolean;
  readonly limited?: boolean;
  /** In place of two of the tests' own. */
  readonly destinationTypes?: ReadonlyMap<string, DestinationType>;
  /** Runs before a document is stored: another writer at the worst moment. */
  readonly beforePut?: (key: string, registry: Registry) => Promise<void>;
}

export const LETTERBOX = {
  connection_type: 'Letterbox',
  credentials: { url: 'https://box.example/in', key: 'top secret', headers: ['Authorization:Bearer hush'] },
};
export const STREAM = { name: 'First', data_stream_type: { id: 2 }, destination: LETTERBOX };

export async function setUpApi(options: FixtureOptions = {}): Promise<ApiFixture> {
  const clock = new ManualClock();
  const random = seededRandom(7);
  const memory = createMemoryRegistry(options.storage ? { storage: options.storage } : {});
  const registry: Registry = {
    ...memory,
    put: async (key, value, expected) => {
      await options.beforePut?.(key, memory);
      return memory.put(key, value, expected);
    },
  };
  const secrets = { current: secretOf(Buffer.alloc(32, 1)) };
  const accounts = createAccounts({
    registry,
    secrets,
    clock,
    random,
    passwordCosts: { memory: 64, passes: 1 },
  });
  for (const id of [1, 2]) await accounts.organisations.create({ id, name: `Organisation ${id}` });
  const audit = createAudit({ registry: createMemoryRegistry(), clock, random, retentionMs: 90 * DAY });
  const rateLimits = createRateLimits(clock);
  const sealer = createSealer(secrets, random);
  const verification: ApiFixture['verification'] = { verdict: { type: 'reachable' }, asked: [] };
  const testRecords: ApiFixture['testRecords'] = {
    result: { outcome: 'delivered', remoteStatus: 200, durationMs: 12.34 },
    asked: [],
  };
  const logged: unknown[] = [];
  const forgotten: string[] = [];

  const routes = apiRoutes({
    ...accounts,
    rateLimits,
    clock,
    registry,
    random,
    destinationTypes: options.destinationTypes ?? TEST_TYPES,
    sealer,
    verify: async ({ target }, { organisationId, streamId }) => {
      verification.asked.push(`${organisationId} ${streamId.length} ${target}`);
      await verification.before?.();
      return verification.verdict;
    },
    startPosition: async (_, time) => ({
      partition: 3,
      position: { sequence: time === undefined ? 42 : 17, index: 0 },
    }),
    retentionMs: 7 * DAY,
    forget: async (organisationId, id) => {
      forgotten.push(`${organisationId}.${id}`);
    },
    ...(options.mostStreams === undefined ? {} : { mostStreams: options.mostStreams }),
    ...(options.verifyDestinations === undefined ? {} : { verifyDestinations: options.verifyDestinations }),
    activity: options.activity ?? (async () => ({ attempts: [], series: [] })),
    tail: options.tail ?? (async (_, cursor) => ({ records: [], next: cursor, skipped: false })),
    exchange: async (_, attempt) => (attempt === 'kept' ? EXCHANGE : undefined),
    countRange: async () => ({ records: 12, filtered: 3, complete: true }),
    preview: options.preview ?? (async () => ({ hours: [], samples: [], complete: true, newest: undefined })),
    events: options.events ?? (async () => ({ events: [], total: 0, skipped: true, next: undefined })),
    requestOf: async () => EXCHANGE,
    shownRecord: async () => (record) => record,
    resend: async () => ({ delivered: 0, failed: [] }),
    testRecord: async (stream, organisationName) => {
      testRecords.asked.push(`${stream.organisationId} ${organisationName} ${stream.id}`);
      return testRecords.result;
    },
    notificationType: restApi,
    defaultReceiver: false,
    testNotification: async () => testRecords.result,
    nodes: () => NODES,
    audit,
    takeRecords: async () => ({ accepted: 0 }),
  });

  let answeredBy: string | undefined;
  const app = await createApp({
    routes,
    audit,
    random,
    clock,
    version: '0.0.0',
    authorize: async (authorization) => {
      const identity = IDENTITIES[authorization?.replace('Bearer ', '') ?? ''];
      if (!identity) throw new ApiError('InvalidToken');
      return identity;
    },
    authorizeOperator: createAuthorizeOperator(OPERATOR_TOKEN),
    admit: options.limited ? rateLimits.call : () => {},
    log: { error: (fields) => logged.push(fields) },
    answered: ({ route }) => {
      answeredBy = route;
    },
    readiness: async () => [],
    metrics: async () => 'up 1\n',
    metricsContentType: 'text/plain; version=0.0.4',
  });

  const call: ApiFixture['call'] = async (method, url, options = {}) => {
    const { token = 'ada', body, headers = {}, unchecked = false } = options;
    const response = await app.inject({
      method,
      url,
      headers: {
        ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = response.body;
    const isJson = !unchecked && String(response.headers['content-type']).startsWith('application/json');
    const result = {
      status: response.statusCode,
      body: isJson ? JSON.parse(text) : undefined,
      text,
      headers: response.headers,
    };
    if (!unchecked) checkAnswer(routes, method, answeredBy, result);
    return result;
  };
  const document: ApiFixture['document'] = async (id, organisationId = 1) =>
    (await registry.get(streamKey(organisationId, id)))?.value as unknown as DataStreamDocument | undefined;

  return {
    clock,
    registry,
    routes,
    // Only one test needs it, and it is expensive.
    get served() {
      return servedBy(app);
    },
    logged,
    forgotten,
    verification,
    testRecords,
    call,
    create: async (body = STREAM, token = 'ada') => {
      const { status, headers, text } = await call('POST', '/api/v2/data_stream', { token, body });
      assert.equal(status, 201, text);
      return String(headers.location).slice('/api/v2/data_stream/'.length);
    },
    document,
    credentials: async (id) => {
      const opened = sealer.open((await document(id))?.sealedCredentials ?? '', streamKey(1, id));
      assert.ok(opened.type === 'opened', JSON.stringify(opened));
      return opened.value;
    },
    progress: async (id, progress = {}, organisationId = 1) => {
      const stream = (await document(id, organisationId)) as DataStreamDocument;
      await registry.put(progressKey(stream), {
        ...progressOf(stream, clock.now()),
        ...progress,
      } as unknown as Json);
    },
    everything: async () => {
      const entries: unknown[] = [];
      for (const prefix of ['stream', 'progress', 'history', 'quarantine']) {
        for await (const { key, value } of registry.list(prefix)) entries.push([key, value]);
      }
      return JSON.stringify(entries);
    },
    close: async () => {
      await app.close();
      assert.deepEqual(logged, []);
    },
  };
}

function progressOf(stream: DataStreamDocument, now: number): ProgressDocument {
  return {
    epoch: 1,
    generation: stream.generation,
    status: { state: 'running', message: 'Delivering.', since: now },
    cursor: stream.start,
    detached: false,
    counters: { delivered: 0, filtered: 0, quarantined: 0, expired: 0 },
    pending: 0,
    countedTo: stream.start.sequence,
    oldestPendingAt: null,
    lastDeliveredAt: null,
    lastError: null,
    retrying: null,
    expiredHours: [],
  };
}
