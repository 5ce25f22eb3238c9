import type { Logger } from 'pino';
import { loadOperatorToken, loadSecrets } from '../auth/secret.ts';
import type { Config } from '../config/config.ts';
import { modeForOthers } from '../lib/make-directory.ts';
import { systemRandom } from '../lib/system-clock.ts';
import { readSource } from '../migrate/source.ts';
import { unfinishedMigration } from '../migrate/target.ts';
import type { Registry } from '../registry/registry.ts';
import type { NodeStorage } from './storage-port.ts';

/** Checks that a node makes before it starts, with their warnings. */

/** Every user who can enter the directory of a store can read its files. */
export function warnOfOthers({ dataDir, natsUrl }: Config, logger: Logger): void {
  const mode = natsUrl.length > 0 ? undefined : modeForOthers(dataDir);
  if (mode === undefined) return;
  logger.warn(
    { event: 'storage.open_to_others', dataDir, mode },
    `other users of this machine may enter ${dataDir} (mode ${mode}), which holds the records of customers and the ` +
      `credentials of their destinations: chmod 700 ${dataDir}`,
  );
}

export function reportUpgrade({ version }: NodeStorage, logger: Logger): void {
  if (version.type !== 'upgraded') return;
  const { from, to } = version;
  logger.warn(
    { event: 'storage.upgraded', from, to },
    `the store was upgraded from version ${from} to version ${to}; older programs must not be started on it any more`,
  );
}

/**
 * @throws Error when a migration to this storage is unfinished: the node would deliver only a part of the records. After a
 * finished migration away from this storage, a start is most likely a mistake, but it is also the way back, so it is allowed.
 */
export async function lookAtMigrations(
  { natsUrl, dataDir }: Config,
  registry: Registry,
  logger: Logger,
): Promise<void> {
  const unfinished = await unfinishedMigration(registry);
  if (unfinished) throw new Error(unfinished);
  const migratedAt = natsUrl.length === 0 ? (await readSource(registry))?.migratedAt : undefined;
  if (migratedAt === undefined) return;
  const at = new Date(migratedAt).toISOString();
  logger.warn(
    { event: 'storage.migrated', dataDir, migratedAt: at },
    `the data of ${dataDir} was migrated to NATS at ${at}; if data streams run there, this node delivers the same records ` +
      'again: stop it and set SIMSTREAM_NATS_URL, unless you want to go back',
  );
}

/** @throws Error in words for the operator */
export async function loadNodeSecrets({ secret, secretPrevious, operatorToken, dataDir, natsUrl }: Config) {
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
