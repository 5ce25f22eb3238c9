import { createHmac } from 'node:crypto';

/** Signatures of the Standard Webhooks specification 1.0 (symmetric, version `v1`). */
const PREFIX = 'whsec_';
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/;
const PRINTABLE = /^[\x21-\x7e]+$/;

/**
 * The key of a signing secret: `whsec_` and base64, or any other text, whose characters are the key.
 * @returns undefined for a `whsec_` whose rest is not base64, for an empty one, and for blanks and non-ASCII characters
 */
export function signingKey(secret: string): Uint8Array | undefined {
  if (!secret.startsWith(PREFIX)) return PRINTABLE.test(secret) ? Buffer.from(secret, 'latin1') : undefined;
  const encoded = secret.slice(PREFIX.length);
  return encoded !== '' && BASE64.test(encoded) ? Buffer.from(encoded, 'base64') : undefined;
}

/**
 * The value of `webhook-signature`.
 * @param body its parts in order
 * @param timestamp seconds since the epoch, as in `webhook-timestamp`
 */
export function sign(key: Uint8Array, id: string, timestamp: number, body: readonly Uint8Array[]): string {
  const hmac = createHmac('sha256', key).update(`${id}.${timestamp}.`);
  for (const part of body) hmac.update(part);
  return `v1,${hmac.digest('base64')}`;
}
