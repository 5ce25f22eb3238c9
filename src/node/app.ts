import type { FastifyInstance } from 'fastify';
import { type AppParts, createApp } from '../api/app.ts';
import { apiRoutes } from '../api/routes.ts';
import { createAccounts } from '../auth/accounts.ts';
import { createAuthorizeOperator } from '../auth/identity.ts';
import { createRateLimits } from '../auth/rate-limit.ts';
import { createSealer } from '../auth/seal.ts';
import type { Config } from '../config/config.ts';
import { countRange } from '../delivery/watching/count-range.ts';
import { readEvents } from '../delivery/watching/kept-events.ts';
import { readPreview } from '../delivery/watching/preview.ts';
import { readTail, type Tail } from '../delivery/watching/tail.ts';
import { createInboxes } from '../demo/inbox.ts';
import { inboxPlugin } from '../demo/inbox-plugin.ts';
import { destinationTypes } from '../destinations/all.ts';
import { externalIdOf } from '../destinations/external-id.ts';
import { restApi } from '../destinations/http/rest-api.ts';
import { ApiError } from '../errors.ts';
import { takeRecords } from '../ingest/http.ts';
import { createIngest } from '../ingest/ingest.ts';
import { loadMappings } from '../ingest/mapping/load.ts';
import type { Mapping } from '../ingest/mapping/map-record.ts';
import { HTML_HEADERS, htmlPage } from '../lib/html.ts';
import { systemRandom } from '../lib/system-clock.ts';
import type { Position } from '../log/log.ts';
import { minimalPage } from '../portal/minimal-page.ts';
import { PrivateRecords } from '../privacy/private-records.ts';
import type { DataStreamDocument, RecordPrivacy } from '../registry/data-stream.ts';
import { partitionOf } from '../registry/organisation.ts';
import { VERSION } from '../version.ts';
import { testNotification } from './notifications.ts';
import { requestFor, resend, testRecord, verify } from './one-destination.ts';
import type { NodeParts } from './parts.ts';
import { isPortalBuilt, PORTAL_DIRECTORY, portalFiles } from './portal-files.ts';
import { keepPortalVersions } from './portal-versions.ts';

/** The HTTP applications of a node; the caller listens and closes. */
interface NodeApps {
  /** API, documentation, portal; in the demo also the inbox. Includes the operator's side unless that has an address of its own. */
  readonly customers: FastifyInstance;
  /** Operator API, records, metrics, readiness; only with SIMSTREAM_OPERATOR_PORT. */
  readonly operator: FastifyInstance | undefined;
}

export async function buildApps(parts: NodeParts, demo: boolean): Promise<NodeApps> {
  const { config } = parts;
  const common = appParts(parts, demo);
  const apart = config.operatorPort !== undefined;
  const customers = await createApp({ ...common, side: apart ? 'customers' : 'all' });
  await addPages(customers, parts, demo);
  return { customers, operator: apart ? await createApp({ ...common, side: 'operator' }) : undefined };
}

function appParts(parts: NodeParts, demo: boolean): AppParts {
  const { config, storage, clock, logger, telemetry, tree, secrets, operatorToken } = parts;
  const { log, registry } = storage;
  const accounts = createAccounts({ registry, secrets, clock, random: systemRandom });
  const rateLimits = createRateLimits(clock, {
    authenticatePerIp: config.rateLogins,
    requestsPerIp: config.rateRequests,
    anonymous: config.rateAnonymous,
    reads: config.rateReads,
    writes: config.rateWrites,
    portal: config.ratePortal,
    work: config.rateWork,
    traffic: config.rateTraffic,
  });
  const authorizeOperator = createAuthorizeOperator(operatorToken);
  const ingest = createIngest({ log, tree, clock, telemetry });
  const { memory } = ingest;
  telemetry.observe({
    name: 'simstream_body_memory_bytes',
    help: 'Bytes of reused memory for bodies and blocks, by state',
    label: 'state',
    read: () => ({ used: memory.usedBytes, free: memory.freeBytes }),
  });
  const mappings = mappingsOf(config);
  return {
    routes: apiRoutes({
      ...accounts,
      rateLimits,
      registry,
      destinationTypes,
      clock,
      random: systemRandom,
      sealer: createSealer(secrets, systemRandom),
      verify: (configured, stream, signal) => verify(parts, configured, stream, signal),
      verifyDestinations: config.verifyDestinations,
      startPosition: (organisationId, time) => startPosition(parts, organisationId, time),
      retentionMs: config.retention,
      mostStreams: config.streamsPerOrganisation,
      platform: {
        awsPrincipal: config.awsPrincipal,
        googleServiceAccount: config.googleServiceAccount,
        externalIdOf,
      },
      forget: (organisationId, id) => parts.activity.forget(organisationId, id),
      activity: (stream) => parts.activityOf(stream),
      exchange: (stream, attempt) => parts.exchangeOf(stream, attempt),
      countRange: (stream, range, filters, signal) =>
        countRange({ log, tree, clock }, stream, range, filters, signal),
      tail: (stream, cursor, after, limit) => privateTail(parts, stream, cursor, after, limit),
      shownRecord: async (stream) => {
        const records = await privateRecords(parts, stream);
        return (record) => records?.record(record) ?? record;
      },
      resend: (stream, records, signal) => resend(parts, stream, records, signal),
      preview: async (stream, signal) => {
        const { partition } = await startPosition(parts, stream.organisationId);
        const found = await readPreview({ log, tree, clock }, stream, partition, signal);
        const records = await privateRecords(parts, stream);
        if (!records) return found;
        const samples = found.samples.map((sample) => records.text(sample));
        return { ...found, samples, newest: found.newest && records.single(found.newest) };
      },
      events: async (query, signal) => {
        const { partition } = await startPosition(parts, query.organisationId);
        return readEvents({ log, tree, clock }, query, partition, signal);
      },
      requestOf: (configured, stream, block, signal) => requestFor(parts, configured, stream, block, signal),
      testRecord: (stream, organisationName, signal) => testRecord(parts, stream, organisationName, signal),
      notificationType: restApi,
      defaultReceiver: config.notificationUrl !== undefined,
      testNotification: (receiver, signal) => testNotification(parts, receiver, signal),
      nodes: () => storage.leases.nodes.snapshot(),
      audit: parts.audit,
      takeRecords: (call) => takeRecords({ ingest, mappings, kept: parts.kept, telemetry }, call),
    }),
    audit: parts.audit,
    authorize: accounts.authorize,
    authorizeOperator,
    admit: (caller, kind) => rateLimits.call(caller, kind),
    charge: (caller, cost) => rateLimits.charge(caller, cost),
    admitOperator: () => rateLimits.operatorCall(),
    chargeOperator: (loopMs) => rateLimits.chargeOperator(loopMs),
    trustProxy: config.trustProxy,
    admitRequest: (ip) => rateLimits.request(ip),
    admitAnonymous: (ip, kind) => rateLimits.anonymous(ip, kind),
    random: systemRandom,
    clock,
    version: VERSION,
    ...(demo && config.port !== 0
      ? { exampleReceiver: `http://127.0.0.1:${config.port}/inbox/api-docs` }
      : {}),
    log: logger,
    answered: (answer) => telemetry.httpRequest(answer),
    readiness: () => parts.readiness(),
    faults: () => parts.faults(),
    metrics: () => telemetry.metrics(),
    metricsContentType: telemetry.metricsContentType,
  };
}

/** @throws Error in words for the operator */
export function mappingsOf({ mappings: directory }: Pick<Config, 'mappings'>) {
  if (directory === undefined) return new Map<string, Mapping>();
  const { mappings, faults } = loadMappings(directory);
  if (faults.length > 0) throw new Error(`SIMSTREAM_MAPPINGS: ${faults.join('; ')}`);
  return mappings;
}

async function addPages(
  app: FastifyInstance,
  { config, clock }: Pick<NodeParts, 'config' | 'clock'>,
  demo: boolean,
): Promise<void> {
  if (demo) await app.register(inboxPlugin(createInboxes(clock)));
  if (isPortalBuilt()) {
    const earlier = keepPortalVersions({ built: PORTAL_DIRECTORY, dataDir: config.dataDir }, clock);
    await app.register(portalFiles({ random: systemRandom, earlier }));
  } else {
    const page = minimalPage({ version: VERSION, demo });
    const html = htmlPage(page.title, page.body);
    app.get('/', (_request, reply) => reply.headers(HTML_HEADERS).send(html));
  }
}

/**
 * Records as the destination of a stream gets them; undefined: unchanged.
 * @throws ApiError Busy
 */
async function privateRecords(
  { privacyKeys }: NodeParts,
  {
    privacy,
    organisationId,
  }: { readonly privacy?: RecordPrivacy | undefined; readonly organisationId: number },
): Promise<PrivateRecords | undefined> {
  if (!privacy) return undefined;
  const key = await privacyKeys.of(organisationId);
  if (key.type === 'key') return new PrivateRecords(privacy, key.key);
  throw new ApiError('Busy', 'simstream cannot open the key of hashed fields. Its operator must fix that.');
}

async function privateTail(
  parts: NodeParts,
  stream: DataStreamDocument,
  cursor: Position,
  after: Position | undefined,
  limit: number,
): Promise<Tail> {
  const { storage, tree } = parts;
  const tail = await readTail({ log: storage.log, tree }, stream, cursor, after, limit);
  const records = await privateRecords(parts, stream);
  if (!records) return tail;
  return { ...tail, records: tail.records.map((one) => ({ ...one, text: records.text(one.text) })) };
}

/** The start of a new data stream: the end of its partition, or the first block that arrived at `time` or later. */
async function startPosition({ storage: { log }, tree }: NodeParts, organisationId: number, time?: number) {
  await tree.learn([organisationId]);
  const partition = partitionOf(tree.rootOf(organisationId), log.partitions);
  const sequence = time === undefined ? (await log.extent(partition)).next : await log.seek(partition, time);
  return { partition, position: { sequence, index: 0 } };
}
