import { createSealer } from '../auth/seal.ts';
import type { Secrets } from '../auth/secret.ts';
import { systemRandom } from '../lib/system-clock.ts';
import { STREAM, streamKey } from '../registry/data-stream.ts';
import type { Registry } from '../registry/registry.ts';

/** Streams that are looked at: a wrong secret opens none of them, whichever they are. */
const LOOKED_AT = 100;

/**
 * Refuses a start with a secret that opens none of the stored credentials: every delivery would wait, and credentials
 * that are entered now would be sealed with a secret that is none of the installation's. A few streams that do not
 * open are no reason: they were sealed before an earlier secret was lost.
 * @throws Error that says what to do
 */
export async function requireSecret(registry: Registry, secrets: Secrets): Promise<void> {
  const sealer = createSealer(secrets, systemRandom);
  let closed = 0;
  let first = '';
  for await (const { document } of STREAM.list(registry)) {
    const { sealedCredentials, organisationId, id } = document;
    if (sealedCredentials === '') continue;
    const opened = sealer.open(sealedCredentials, streamKey(organisationId, id));
    if (opened.type === 'opened') return;
    first ||= opened.message;
    if (++closed === LOOKED_AT) break;
  }
  if (closed === 0) return;
  throw new Error(
    `the secret opens none of the stored credentials (${closed} data streams were looked at; ${first}). Set ` +
      'SIMSTREAM_SECRET to the secret that this installation had, or restore the file "secret" in the data directory. If ' +
      'that secret is lost, start with SIMSTREAM_SECRET_LOST=true: the owners of the data streams must then enter their ' +
      'credentials again',
  );
}
