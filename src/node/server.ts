import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { createAudit } from '../auth/audit.ts';
import { createSealer } from '../auth/seal.ts';
import type { StartServer } from '../cli/node.ts';
import type { Config } from '../config/config.ts';
import { runDelivery } from '../delivery/engine.ts';
import type { HeldPartition } from '../delivery/partition/runner-context.ts';
import { loadStreamDirectory, type StreamDirectory } from '../delivery/partition/stream-directory.ts';
import { DEFAULT_RETRY } from '../delivery/stream/retry.ts';
import { DEFAULT_SETTINGS } from '../delivery/stream/stream-context.ts';
import { type Activity, createActivity } from '../delivery/watching/activity.ts';
import { type SharedActivity, shareActivity } from '../delivery/watching/shared-activity.ts';
import { createEgress } from '../destinations/egress.ts';
import { proxyFromEnvironment } from '../destinations/proxy.ts';
import { createIngest } from '../ingest/ingest.ts';
import { createKeptSessions } from '../ingest/mapping/kept-sessions.ts';
import type { Clock } from '../lib/clock.ts';
import { watchLoop } from '../lib/loop-watch.ts';
import { makeDirectory } from '../lib/make-directory.ts';
import { systemClock, systemRandom } from '../lib/system-clock.ts';
import { createPrivacyKeys } from '../privacy/keys.ts';
import { loadOrganisationTree } from '../registry/organisation-tree.ts';
import { buildApps } from './app.ts';
import { watchAppends } from './append-health.ts';
import { loadNodeSecrets, lookAtMigrations, reportUpgrade, warnOfOthers } from './before-start.ts';
import { observeCluster } from './cluster-gauges.ts';
import { observeDelivery } from './delivery-observer.ts';
import { createNotifications } from './notifications.ts';
import { observeLog } from './observed-log.ts';
import { openerOf } from './one-destination.ts';
import { mostOpenFiles, mostOutgoing, warnOfFewFiles } from './open-files.ts';
import type { NodeParts } from './parts.ts';
import { whatIsMissing, whatIsWrong } from './readiness.ts';
import { requireSecret } from './secret-check.ts';
import { sourcesOf } from './sources.ts';
import { openStorage } from './storage.ts';
import { observeStorage } from './storage-gauges.ts';
import { updateCredentials } from './stored-credentials.ts';
import { createStreamGauges } from './stream-gauges.ts';
import { finishInterruptedDeletions, finishRemovalsOften } from './unfinished-deletions.ts';

/**
 * Starts a node: opens the storage, starts delivery, and listens. If a step fails, everything opened before is closed.
 * @throws when the storage cannot be opened, a secret is missing, or the node cannot listen on the address
 */
export const startServer: StartServer = async (
  config,
  { logger, telemetry, signal, demo = false, clock: own = systemClock },
) => {
  const closing = new AsyncDisposableStack();
  try {
    const opened = await openStorage(config, { clock: own, random: systemRandom, telemetry, signal });
    closing.defer(() => opened.close());
    const { clock } = opened;
    const appends = watchAppends(observeLog(opened.log, telemetry, clock), opened.registry);
    const storage = { ...opened, log: appends.log };
    reportUpgrade(storage, logger);
    warnOfOthers(config, logger);
    await lookAtMigrations(config, storage.registry, logger);
    const stop = new AbortController();
    const { secrets, operatorToken } = await loadNodeSecrets(config);
    if (!config.secretLost) await requireSecret(storage.registry, secrets);
    const openFiles = mostOpenFiles();
    warnOfFewFiles(openFiles, logger);
    const egress = createEgress({
      allow: config.allowDestinations,
      nameServers: config.nameServers,
      maxSockets: mostOutgoing(openFiles),
      proxy: config.egressProxy === 'environment' ? proxyFromEnvironment(process.env) : undefined,
    });
    closing.defer(() => egress.close());
    const scratchDirectory = await openScratch(config);
    closing.defer(() => rm(scratchDirectory, { recursive: true, force: true }));
    const activity = createActivity(storage.registry, clock);
    const directory = await loadStreamDirectory(storage.registry, stop.signal);
    await finishInterruptedDeletions({ config, storage, secrets, clock, logger, activity }, directory);
    const shared = shareActivity({ activity, directory, leases: storage.leases, calls: storage.calls });
    const audit = createAudit({
      registry: storage.registry,
      clock,
      random: systemRandom,
      retentionMs: config.auditRetention,
    });
    const delivery: Delivery = { running: true, ended: Promise.resolve() };
    const parts: NodeParts = {
      config,
      storage,
      clock,
      logger,
      telemetry,
      tree: await loadOrganisationTree(storage.registry, stop.signal),
      secrets,
      privacyKeys: createPrivacyKeys({
        registry: storage.registry,
        sealer: createSealer(secrets, systemRandom),
        random: systemRandom,
        secretLost: config.secretLost,
      }),
      operatorToken: operatorToken.value,
      egress,
      activity,
      audit,
      kept: config.natsUrl.length === 0 ? createKeptSessions(storage.registry, clock) : undefined,
      activityOf: shared.of,
      exchangeOf: shared.exchange,
      readiness: () => whatIsMissing(storage, delivery, appends),
      faults: () => whatIsWrong(storage),
      environment: {
        ...{ clock, random: systemRandom, egress, variables: process.env, scratchDirectory },
        grants: config.cloudGrants,
      },
    };
    observeStorage(telemetry, { storage, dataDir: config.dataDir }, directory);
    observeCluster(telemetry, storage.leases.nodes);
    closing.defer(watchLoop((blocked) => telemetry.loopBlocked(blocked)));
    const ingest = createIngest({ log: storage.log, tree: parts.tree, clock, telemetry });
    await parts.kept?.settle((body, idempotencyKey) =>
      ingest.accept({ kind: 'usage', body, format: 'ndjson', skipInvalid: true, idempotencyKey }),
    );
    const notifying = await createNotifications(parts, ingest, stop.signal);
    const reading = sourcesOf(parts, ingest);
    const beside = async (held: HeldPartition, until: AbortSignal) => {
      await Promise.all([notifying(held, until), reading(held.partition, until)]);
    };
    startDelivery(parts, { directory, leases: shared.leases, beside }, delivery, stop.signal);
    const updating = updateCredentials(parts, stop.signal);
    const gauges = createStreamGauges({
      ...storage,
      directory,
      nodes: storage.leases.nodes,
      clock,
      telemetry,
    });
    const counting = gauges.run(stop.signal);
    const removing = finishRemovalsOften(storage, clock, stop.signal);
    closing.defer(async () => {
      stop.abort();
      await delivery.ended;
      await Promise.all([updating, counting, removing]);
      await activity.persist();
    });
    const auditing = new AbortController();
    const audited = audit.run(auditing.signal);
    closing.defer(() => {
      auditing.abort();
      return audited;
    });
    const apps = await buildApps(parts, demo);
    const both = [apps.customers, apps.operator].filter((app) => app !== undefined);
    closing.defer(async () => {
      await Promise.all(both.map((app) => closeApp(app, clock)));
    });
    const { host, port, operatorHost = host, operatorPort = 0 } = config;
    const operatorUrl = await apps.operator?.listen({ host: operatorHost, port: operatorPort });
    // Comes last: once customers can reach the node, everything works.
    const url = await apps.customers.listen({ host, port });
    return {
      url,
      operatorUrl: operatorUrl ?? url,
      operatorToken,
      failed: storage.lost ?? new Promise(() => {}),
      close: () => closing.disposeAsync(),
    };
  } catch (error) {
    await closing.disposeAsync();
    throw error;
  }
};

interface Delivery {
  running: boolean;
  /** Settles when all deliveries have ended; never rejects. */
  ended: Promise<unknown>;
}

interface DeliveryParts {
  readonly directory: StreamDirectory;
  readonly leases: SharedActivity['leases'];
  /** Runs beside each partition. */
  readonly beside: (held: HeldPartition, stop: AbortSignal) => Promise<void>;
}

/** Starts delivery. If a bug ends it, the node reports that it is not ready, so that it is restarted. */
function startDelivery(
  parts: NodeParts,
  { directory, leases, beside }: DeliveryParts,
  delivery: Delivery,
  stop: AbortSignal,
): void {
  const { config, storage, clock, telemetry, tree, activity } = parts;
  const { log, registry } = storage;
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
      quarantineRetentionMs: config.quarantineRetention,
      tree,
      directory,
      beside,
      open: openerOf(parts),
      telemetry: observeDelivery(telemetry, activity),
    },
    stop,
  );
  const watched = running.catch((error: unknown) => {
    telemetry.platformFault({ component: 'delivery', message: 'delivery has ended', error });
    delivery.running = false;
  });
  delivery.ended = Promise.all([watched, persisting]);
}

/** Charts survive a restart except for their last minute. */
async function persistActivity(activity: Activity, clock: Clock, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    await clock.sleep(60_000, stop).catch(() => undefined);
    await activity.persist().catch(() => undefined);
  }
}

/** For the temporary files of destinations. Nodes of a cluster on one machine may share a data directory. */
async function openScratch({ dataDir, natsUrl }: Config): Promise<string> {
  if (natsUrl.length > 0) return mkdtemp(join(tmpdir(), 'simstream-'));
  const path = join(dataDir, 'scratch');
  await rm(path, { recursive: true, force: true });
  makeDirectory(path);
  return path;
}

/** How often a stopping node looks for connections that have become idle, ms. */
const SWEEP_MS = 50;

/** Lets requests in progress end; closes a connection when its request is done, or when the grace time is over. */
async function closeApp(app: FastifyInstance, clock: Clock): Promise<void> {
  const cancel = clock.after(DEFAULT_SETTINGS.stopGraceMs, () => app.server.closeAllConnections());
  let stopSweeping = () => {};
  const sweep = () => {
    app.server.closeIdleConnections();
    stopSweeping = clock.after(SWEEP_MS, sweep);
  };
  const closed = app.close();
  sweep();
  await closed;
  stopSweeping();
  cancel();
}
