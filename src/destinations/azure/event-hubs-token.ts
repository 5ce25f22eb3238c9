import { createHmac } from 'node:crypto';
import type { HubAccess } from './event-hubs-connection.ts';

/** How long a token is valid. Clocks that differ by minutes do no harm, and a token that leaks is soon worth nothing. */
const VALID_MS = 3_600_000;
/** A token is replaced this long before it ends: the request with it must arrive before. */
const RENEW_BEFORE_MS = 10 * 60_000;

/**
 * A shared access signature for a resource.
 *
 *   token = "SharedAccessSignature sr=" resource "&sig=" sig "&se=" expiry "&skn=" name
 *   sig   = base64(HMAC-SHA256(key, resource "\n" expiry))           (resource, sig and name percent-encoded)
 *
 * @param resource whose parts below it are covered too, e.g. `https://ns.servicebus.windows.net/hub`
 * @param expiry seconds since the epoch
 */
export function sharedAccessSignature(resource: string, name: string, key: string, expiry: number): string {
  const sr = encodeURIComponent(resource);
  const sig = createHmac('sha256', key).update(`${sr}\n${expiry}`).digest('base64');
  return `SharedAccessSignature sr=${sr}&sig=${encodeURIComponent(sig)}&se=${expiry}&skn=${encodeURIComponent(name)}`;
}

/** The `Authorization` of a hub's requests: the signature that was given, or one made of the key and renewed in time. */
export function tokenSource(access: HubAccess, resource: string): (now: number) => string {
  if (access.type === 'signature') return () => access.signature;
  let token = '';
  let until = Number.NEGATIVE_INFINITY;
  let madeAt = Number.POSITIVE_INFINITY;
  return (now) => {
    // A clock that was set back must not leave a token in use that is valid for too long.
    if (now >= until - RENEW_BEFORE_MS || now < madeAt) {
      madeAt = now;
      until = now + VALID_MS;
      token = sharedAccessSignature(resource, access.name, access.key, Math.floor(until / 1000));
    }
    return token;
  };
}
