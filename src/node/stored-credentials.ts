import { remaskStored } from '../auth/remask.ts';
import { type Resealed, resealCredentials, resealNotifications } from '../auth/reseal.ts';
import { createSealer } from '../auth/seal.ts';
import { destinationTypes } from '../destinations/all.ts';
import { maskShown } from '../destinations/masking.ts';
import { maskUrlsIn } from '../destinations/url-secrets.ts';
import { systemRandom } from '../lib/system-clock.ts';
import { resealPrivacyRoot } from '../privacy/keys.ts';
import type { DataStreamDocument } from '../registry/data-stream.ts';
import type { NodeParts } from './parts.ts';

type CredentialParts = Pick<NodeParts, 'storage' | 'secrets' | 'clock' | 'logger' | 'telemetry'>;

/** Brings stored credentials up to date: their masks, and their seal after a change of the secret. */
export async function updateCredentials(parts: CredentialParts, stop: AbortSignal): Promise<void> {
  await remask(parts, stop);
  await reseal(parts, stop);
}

async function remask(
  { storage: { registry }, clock, logger, telemetry }: CredentialParts,
  stop: AbortSignal,
) {
  const mask = (stream: Pick<DataStreamDocument, 'connectionType' | 'maskedCredentials' | 'target'>) =>
    maskShown(destinationTypes.get(stream.connectionType), stream);
  try {
    const masked = await remaskStored({ registry, clock, mask, maskText: maskUrlsIn }, stop);
    if (!masked) return;
    logger.info({ event: 'credentials.masked', documents: masked }, 'secrets in stored URLs are masked now');
  } catch (error) {
    if (stop.aborted) return;
    const message = 'secrets in URLs that an older version stored could not be masked: restart the node';
    telemetry.platformFault({ component: 'secret', message, error });
  }
}

/** During a rotation of the secret: seals with the new one what the old one sealed; says when the old one can be removed. */
async function reseal(
  { storage: { registry }, secrets, clock, logger, telemetry }: CredentialParts,
  stop: AbortSignal,
): Promise<void> {
  if (!secrets.previous) return;
  const sealer = createSealer(secrets, systemRandom);
  const done = ({ sealed, unreadable, unreadableUsers: users }: Resealed) => {
    logger.info(
      { event: 'secret.rotated', sealed },
      `all credentials are sealed with SIMSTREAM_SECRET, ${sealed} of them since this start`,
    );
    if (users.length > 0) {
      logger.warn(
        { event: 'secret.unreadable', users: users.slice(0, MOST_NAMED), count: users.length },
        `the second factors of ${users.length} users were sealed with neither secret: remove them, so that the users can log in`,
      );
    }
    if (unreadable.length === 0) return;
    logger.warn(
      { event: 'secret.unreadable', streams: unreadable.slice(0, MOST_NAMED), count: unreadable.length },
      `the credentials of ${unreadable.length} data streams were sealed with neither SIMSTREAM_SECRET nor ` +
        'SIMSTREAM_SECRET_PREVIOUS, and must be entered again',
    );
  };
  try {
    await resealPrivacyRoot({ registry, sealer });
    await resealNotifications({ registry, sealer, clock }, stop);
    await resealCredentials({ registry, sealer, clock, done }, stop);
  } catch (error) {
    if (stop.aborted) return;
    const message = 'credentials could not be sealed again: keep SIMSTREAM_SECRET_PREVIOUS, and restart';
    telemetry.platformFault({ component: 'secret', message, error });
  }
}

/** Most data streams or users that one log line names. */
const MOST_NAMED = 20;
