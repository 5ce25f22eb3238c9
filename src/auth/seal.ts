import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { Random } from '../lib/clock.ts';
import type { Json } from '../registry/registry.ts';
import type { Secret, Secrets } from './secret.ts';

/**
 * Credentials at rest: AES-256-GCM under a key derived from the node's secret.
 *
 *   sealed  = "s1." secretId "." base64url(nonce ciphertext tag)
 *   secretId = 8 hex digits that name the secret     nonce = 12 random bytes     tag = 16 bytes
 *
 * The plain text is JSON. The additional data is "s1." secretId "." context. The context is the key of a registry document.
 * Sealed text does not open in another context, so an attacker who can write the store cannot swap documents.
 */
export interface Sealer {
  seal(value: Json, context: string): string;
  /** The sealed value, or the reason why it does not open. The fault never reveals the content. */
  open(sealed: string, context: string): Opened;
  /** Whether it was sealed with the current secret. If not, seal it again while the previous secret is known. */
  isCurrent(sealed: string): boolean;
}

type Opened =
  | { readonly type: 'opened'; readonly value: Json }
  | { readonly type: 'fault'; readonly message: string };

const VERSION = 's1';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const SEALED = /^s1\.([0-9a-f]{8})\.([A-Za-z0-9_-]+)$/;

export function createSealer(secrets: Secrets, random: Random): Sealer {
  const keys = new Map<string, Buffer>();
  const add = (secret: Secret) => keys.set(secret.id, secret.key('sealing', 32));
  if (secrets.previous) add(secrets.previous);
  add(secrets.current);
  const { id } = secrets.current;

  return {
    seal: (value, context) => {
      const nonce = Buffer.from(random.bytes(NONCE_BYTES));
      const cipher = createCipheriv('aes-256-gcm', keys.get(id) as Buffer, nonce);
      cipher.setAAD(additionalData(id, context));
      const parts = [
        nonce,
        cipher.update(JSON.stringify(value), 'utf8'),
        cipher.final(),
        cipher.getAuthTag(),
      ];
      return `${VERSION}.${id}.${Buffer.concat(parts).toString('base64url')}`;
    },

    open: (sealed, context) => {
      const [, sealedBy, body] = SEALED.exec(sealed) ?? [];
      if (!sealedBy || !body) return fault('its form is not known to this version');
      const key = keys.get(sealedBy);
      if (!key) {
        return fault(
          `it was sealed with another secret (${sealedBy}): set SIMSTREAM_SECRET_PREVIOUS to that secret`,
        );
      }
      const bytes = Buffer.from(body, 'base64url');
      // Buffer skips characters outside of base64url and ignores spare bits: accept only the canonical spelling.
      if (bytes.length < NONCE_BYTES + TAG_BYTES || bytes.toString('base64url') !== body) {
        return fault('it is damaged');
      }
      const end = bytes.length - TAG_BYTES;
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), {
          authTagLength: TAG_BYTES,
        });
        decipher.setAAD(additionalData(sealedBy, context));
        decipher.setAuthTag(bytes.subarray(end));
        const text = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, end)), decipher.final()]);
        return { type: 'opened', value: JSON.parse(text.toString('utf8')) as Json };
      } catch {
        return fault('it was changed, or belongs to another document');
      }
    },

    isCurrent: (sealed) => sealed.startsWith(`${VERSION}.${id}.`),
  };
}

function additionalData(id: string, context: string): Buffer {
  return Buffer.from(`${VERSION}.${id}.${context}`, 'utf8');
}

function fault(reason: string): Opened {
  return { type: 'fault', message: `The sealed credentials cannot be opened: ${reason}.` };
}
