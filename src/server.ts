import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { createApp } from './api/app.ts';
import { applicationTokenRoutes } from './api/application-token.ts';
import { authenticateRoutes } from './api/authenticate.ts';
import { dataStreamRoutes } from './api/data-stream.ts';
import { dataStreamActivityRoutes } from './api/data-stream-activity.ts';
import { eventTypeRoutes } from './api/data-stream-lookups.ts';
import { operatorRoutes } from './api/operator.ts';
import { organisationRoutes } from './api/organisation.ts';
import { createAccounts } from './auth/accounts.ts';
import { createAuthorizeOperator } from './auth/identity.ts';
import { createRateLimits } from './auth/rate-limit.ts';
import { createSealer } from './auth/seal.ts';
import { loadOperatorToken, loadSecrets, type Secrets } from './auth/secret.ts';
import type { StartServer } from './cli/node.ts';
import type { Config } from './config.ts';
import { type Activity, createActivity } from './delivery/activity.ts';
import { runDelivery } from './delivery/engine.ts';
import type { Leases } from './delivery/leases.ts';
import { embeddedLeases } from './delivery/leases-embedded.ts';
import { DEFAULT_SETTINGS } from './delivery/pump-context.ts';
import { type Quarantined, type ResendResult, resendQuarantined } from './delivery/resend.ts';
import { DEFAULT_RETRY } from './delivery/retry.ts';
import { loadStreamDirectory } from './delivery/stream-directory.ts';
import { readTail } from './delivery/tail.ts';
import { observeDelivery } from './delivery-observer.ts';
import { createInboxes } from './demo/inbox.ts';
import { inboxPlugin } from './demo/inbox-plugin.ts';
import { destinationTypes } from './destinations/all.ts';
import type { Configured, DestinationEnvironment, Verdict } from './destinations/contract.ts';
import { createEgress, type Egress } from './destinations/egress.ts';
import { createOpener } from './destinations/open.ts';
import { ApiError } from './errors.ts';
import { registerIngestRoutes } from './ingest/http.ts';
import { createIngest } from './ingest/ingest.ts';
import type { Clock } from './lib/clock.ts';
import { HTML_HEADERS, htmlPage } from './lib/html.ts';
import { systemClock, systemRandom } from './lib/system-clock.ts';
import { createLmdbLog } from './log/lmdb.ts';
import type { RecordLog } from './log/log.ts';
import { minimalPage } from './portal/minimal-page.ts';
import { isPortalBuilt, portalFiles } from './portal-files.ts';
import { type DataStreamDocument, streamKey } from './registry/data-stream.ts';
import { createLmdbRegistry } from './registry/lmdb.ts';
import { partitionOf } from './registry/organisation.ts';
import { loadOrganisationTree, type OrganisationTree } from './registry/organisation-tree.ts';
import type { Registry } from './registry/registry.ts';
import { openLmdb } from './storage/lmdb.ts';
import type { Telemetry } from './telemetry.ts';
import { VERSION } from './version.ts';

/** Where log, registry and leases live; the only choice between embedded and distributed. */
interface Storage {
  readonly log: RecordLog;
  readonly registry: Registry;
  readonly leases: Leases;
  close(): Promise<void>;
}

async function openStorage(config: Config, clock: Clock): Promise<Storage> {
  const lmdb = await openLmdb(config.dataDir, { clock });
  try {
    const registry = createLmdbRegistry(lmdb);
    const log = await createLmdbLog(lmdb, { partitions: config.partitions, clock });
    return { log, registry, leases: embeddedLeases(registry), close: () => lmdb.close() };
  } catch (error) {
    await lmdb.close();
    throw error;
  }
}

/** What a node is made of besides its storage. */
interface Parts {
  readonly config: Config;
  readonly storage: Storage;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
  readonly tree: OrganisationTree;
  readonly secrets: Secrets;
  readonly operatorToken: string;
  readonly egress: Egress;
  readonly activity: Activity;
  readonly environment: Omit<DestinationEnvironment, 'organisationId' | 'streamId'>;
}

/**
 * Starts a node: opens the storage, takes up delivery, and listens. Whatever was opened is closed again when a later
 * step fails.
 * @throws when the storage cannot be opened, a secret is missing, or the address cannot be listened on
 */
export const startServer: StartServer = async (config, { logger, telemetry, demo = false }) => {
  const clock = systemClock;
  const closing = new AsyncDisposableStack();
  try {
    const storage = await openStorage(config, clock);
    closing.defer(() => storage.close());
    const stop = new AbortController();
    const { secrets, operatorToken } = await loadNodeSecrets(config);
    const egress = createEgress({ allow: config.allowDestinations });
    closing.defer(() => egress.close());
    const scratchDirectory = await emptyDirectory(join(config.dataDir, 'scratch'));
    const activity = createActivity(storage.registry, clock);
    const parts: Parts = {
      config,
      storage,
      clock,
      logger,
      telemetry,
      tree: await loadOrganisationTree(storage.registry, stop.signal),
      secrets,
      operatorToken: operatorToken.value,
      egress,
      activity,
      environment: { clock, random: systemRandom, egress, variables: process.env, scratchDirectory },
    };
    const delivery = await startDelivery(parts, stop.signal);
    closing.defer(async () => {
      stop.abort();
      await delivery.ended;
      await activity.persist();
    });
    const app = await buildApp(parts, demo);
    closing.defer(() => closeApp(app, clock));
    const url = await app.listen({ host: config.host, port: config.port });
    return { url, operatorToken, close: () => closing.disposeAsync() };
  } catch (error) {
    await closing.disposeAsync();
    throw error;
  }
};

async function loadNodeSecrets({ secret, secretPrevious, operatorToken, dataDir, natsUrl }: Config) {
  const directory = natsUrl.length > 0 ? undefined : dataDir;
  const given = secret?.toString('base64');
  const previous = secretPrevious?.toString('base64');
  const loaded = await loadSecrets({ given, previous, directory }, systemRandom);
  if (loaded.type === 'fault') throw new Error(loaded.message);
  const { secrets } = loaded;
  const shared = directory === undefined ? { shared: secrets.current } : {};
  const token = await loadOperatorToken(
    { given: operatorToken, directory: dataDir, ...shared },
    systemRandom,
  );
  if (token.type === 'fault') throw new Error(token.message);
  return { secrets, operatorToken: { value: token.token, generated: token.generated } };
}

/** Starts delivery; `ended` settles when it has ended. */
async function startDelivery(parts: Parts, stop: AbortSignal): Promise<{ ended: Promise<unknown> }> {
  const { config, storage, clock, telemetry, tree, activity } = parts;
  const { log, registry, leases } = storage;
  const directory = await loadStreamDirectory(registry, stop);
  const persisting = persistActivity(activity, clock, stop);
  const running = runDelivery(
    {
      log,
      registry,
      leases,
      clock,
      random: systemRandom,
      settings: { ...DEFAULT_SETTINGS, retry: { ...DEFAULT_RETRY, retryWindowMs: config.retryWindow } },
      retentionMs: config.retention,
      tree,
      directory,
      open: openerOf(parts),
      telemetry: observeDelivery(telemetry, activity),
    },
    stop,
  );
  return { ended: Promise.all([running, persisting]) };
}

/** Charts survive a restart but for their last minute. */
async function persistActivity(activity: Activity, clock: Clock, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    await clock.sleep(60_000, stop).catch(() => undefined);
    await activity.persist();
  }
}

function openerOf({ secrets, environment }: Parts) {
  const sealer = createSealer(secrets, systemRandom);
  return createOpener({
    types: destinationTypes,
    unseal: ({ sealedCredentials, organisationId, id }) =>
      sealer.open(sealedCredentials, streamKey(organisationId, id)),
    environment,
  });
}

async function emptyDirectory(path: string): Promise<string> {
  await rm(path, { recursive: true, force: true });
  await mkdir(path, { recursive: true, mode: 0o700 });
  return path;
}

async function buildApp(parts: Parts, demo: boolean): Promise<FastifyInstance> {
  const { config, storage, clock, logger, telemetry, tree, secrets, operatorToken } = parts;
  const { log, registry } = storage;
  const accounts = createAccounts({ registry, secrets, clock, random: systemRandom });
  const rateLimits = createRateLimits(clock);
  const authorizeOperator = createAuthorizeOperator(operatorToken);
  const app = await createApp({
    routes: [
      ...authenticateRoutes({ ...accounts, rateLimits }),
      ...applicationTokenRoutes({ ...accounts, clock }),
      ...organisationRoutes(accounts),
      ...operatorRoutes({ ...accounts, clock }),
      ...eventTypeRoutes(),
      ...dataStreamRoutes({
        registry,
        destinationTypes,
        sealer: createSealer(secrets, systemRandom),
        verify: (configured, stream, signal) => verify(parts, configured, stream, signal),
        startPosition: (organisationId, time) => startPosition(parts, organisationId, time),
        clock,
        random: systemRandom,
        verifyDestinations: config.verifyDestinations,
        retentionMs: config.retention,
      }),
      ...dataStreamActivityRoutes({
        registry,
        activity: (stream) => parts.activity.of(stream.organisationId, stream.id),
        tail: (stream, cursor, after, limit) => readTail({ log, tree }, stream, cursor, after, limit),
        resend: (stream, records, signal) => resend(parts, stream, records, signal),
      }),
    ],
    authorize: accounts.authorize,
    authorizeOperator,
    admit: (organisationId) => rateLimits.dataStream(organisationId),
    admitRequest: (ip) => rateLimits.request(ip),
    random: systemRandom,
    version: VERSION,
    log: logger,
    answered: (answer) => telemetry.httpRequest(answer),
    readiness: async () => [],
    metrics: () => telemetry.metrics(),
    metricsContentType: telemetry.metricsContentType,
  });
  registerIngestRoutes(app, {
    ingest: createIngest({ log, rootOf: (id) => tree.rootOf(id), clock, telemetry }),
    authorize: (request) => authorizeOperator(request.headers.authorization),
    telemetry,
  });
  if (demo) await app.register(inboxPlugin(createInboxes(clock)));
  if (isPortalBuilt()) {
    await app.register(portalFiles({ random: systemRandom }));
  } else {
    const page = minimalPage({ version: VERSION, demo });
    const html = htmlPage(page.title, page.body);
    app.get('/', (_request, reply) => reply.headers(HTML_HEADERS).send(html));
  }
  return app;
}

/** Where a new data stream begins: at the end of its partition, or at the first block that arrived at `time`. */
async function startPosition({ storage: { log }, tree }: Parts, organisationId: number, time?: number) {
  const partition = partitionOf(tree.rootOf(organisationId), log.partitions);
  const sequence = time === undefined ? (await log.extent(partition)).next : await log.seek(partition, time);
  return { partition, position: { sequence, index: 0 } };
}

/** Reaches a destination without delivering anything. */
async function verify(
  { environment }: Parts,
  configured: Configured,
  stream: { readonly organisationId: number; readonly streamId: string },
  signal: AbortSignal,
): Promise<Verdict> {
  const destination = await configured.open({ ...environment, ...stream });
  try {
    return await destination.verify(signal);
  } finally {
    await destination.close();
  }
}

/** Requests under way may end; a connection that only stays open is cut after the grace time. */
async function closeApp(app: FastifyInstance, clock: Clock): Promise<void> {
  const cancel = clock.after(DEFAULT_SETTINGS.stopGraceMs, () => app.server.closeAllConnections());
  await app.close();
  cancel();
}

/** Sends quarantined records again with a destination opened for it alone. */
async function resend(
  parts: Parts,
  stream: DataStreamDocument,
  records: readonly Quarantined[],
  signal: AbortSignal,
): Promise<ResendResult> {
  const opening = await openerOf(parts)(stream);
  if (opening.type === 'failed') throw new ApiError('Failed', opening.cause.message);
  try {
    return await resendQuarantined(parts.storage.registry, stream, opening.destination, records, signal);
  } finally {
    await opening.destination.close();
  }
}
