import { timingSafeEqual } from 'node:crypto';
import { ApiError } from '../errors.ts';
import { noteChange } from '../lib/call-cost.ts';
import type { Clock, Random } from '../lib/clock.ts';
import { documentKind } from '../registry/documents.ts';
import { type Registry, registryKey } from '../registry/registry.ts';
import { changeDocument, randomId, wasStored } from './documents.ts';
import { isInRange } from './network.ts';
import { digestOf } from './secret.ts';

/**
 * `application_token.<organisation>.<id>`: a customer's program logs in with it. The token itself is shown once:
 *
 *   application_token = "ssapp_" organisation "_" id "_" base64url(32 random bytes)
 *
 * Only the SHA-256 of the random part is stored. With 256 random bits, a slow hash would add no protection.
 */
export interface ApplicationTokenDocument {
  readonly id: number;
  readonly organisationId: number;
  readonly description: string | null;
  /** base64url. */
  readonly digest: string;
  readonly status: 'activated' | 'revoked';
  /** UTC, ISO 8601, or null for never. */
  readonly expiryDate: string | null;
  /** The address or CIDR block from which the token may be used; null for any. */
  readonly ip: string | null;
  readonly creator: Creator;
  readonly created: string;
}

export const APPLICATION_TOKEN = documentKind<ApplicationTokenDocument>({ prefix: 'application_token' });

/** The user who created the token, with the name at that time. */
export interface Creator {
  readonly id: number;
  readonly name: string;
  readonly username: string;
}

export interface ApplicationTokens {
  /** The only function that returns the token. */
  create(
    token: NewApplicationToken,
  ): Promise<{ readonly document: ApplicationTokenDocument; readonly token: string }>;
  /** Newest first. */
  list(organisationId: number): Promise<ApplicationTokenDocument[]>;
  get(organisationId: number, id: number): Promise<ApplicationTokenDocument | undefined>;
  change(organisationId: number, id: number, change: ApplicationTokenChange): Promise<ChangeOutcome>;
  /** Auth tokens from it are refused from then on. false if it does not exist. */
  remove(organisationId: number, id: number): Promise<boolean>;
  /** The document of a presented token, in any state; undefined if the token is not from this installation. */
  find(token: string): Promise<ApplicationTokenDocument | undefined>;
  /** Whether the token may be used now from that address. */
  stateOf(document: ApplicationTokenDocument, ip: string): ApplicationTokenState;
}

interface NewApplicationToken {
  readonly organisationId: number;
  readonly description?: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt?: number;
  readonly ip?: string;
  readonly creator: Creator;
}

export interface ApplicationTokenChange {
  readonly description?: string;
  readonly status?: ApplicationTokenDocument['status'];
}

/** A revoked token stays revoked: a person had a reason. */
type ChangeOutcome = 'changed' | 'unknown' | 'revoked-for-good';
type ApplicationTokenState = 'usable' | 'revoked' | 'expired' | 'forbidden-address';

/**
 * The most tokens of one organisation, with revoked ones. A large company has fewer devices and programs with a token each.
 * The list and its storage stay small.
 */
export const MOST_TOKENS = 500;

const TOKEN = /^ssapp_([1-9]\d{0,15})_([1-9]\d{0,9})_([A-Za-z0-9_-]{43})$/;

export function createApplicationTokens(registry: Registry, clock: Clock, random: Random): ApplicationTokens {
  const get = async (organisationId: number, id: number) =>
    (await APPLICATION_TOKEN.get(registry, tokenKey(organisationId, id)))?.document;

  const list = async (organisationId: number) => {
    const documents: ApplicationTokenDocument[] = [];
    for await (const { document } of APPLICATION_TOKEN.list(registry, organisationId))
      documents.push(document);
    return documents.sort((a, b) => (a.created < b.created ? 1 : a.created > b.created ? -1 : b.id - a.id));
  };

  return {
    get,

    create: async ({ organisationId, description, expiresAt, ip, creator }) => {
      if ((await list(organisationId)).length >= MOST_TOKENS) {
        const message = `The organisation has ${MOST_TOKENS} application tokens, which is the limit. Delete tokens that are no longer used.`;
        throw new ApiError('NotAllowed', message);
      }
      const secret = Buffer.from(random.bytes(32)).toString('base64url');
      for (;;) {
        const document: ApplicationTokenDocument = {
          id: randomId(random),
          organisationId,
          description: description ?? null,
          digest: digestOf(secret).toString('base64url'),
          status: 'activated',
          expiryDate: expiresAt === undefined ? null : new Date(expiresAt).toISOString(),
          ip: ip ?? null,
          creator,
          created: new Date(clock.now()).toISOString(),
        };
        const outcome = await APPLICATION_TOKEN.put(
          registry,
          tokenKey(organisationId, document.id),
          document,
          0,
        );
        if (wasStored(outcome))
          return { document, token: `ssapp_${organisationId}_${document.id}_${secret}` };
      }
    },

    list,

    change: async (organisationId, id, change) => {
      let revokedForGood = false;
      let before: ApplicationTokenDocument | undefined;
      const changed = await changeDocument(
        APPLICATION_TOKEN,
        registry,
        tokenKey(organisationId, id),
        (document) => {
          before = document;
          revokedForGood = document.status === 'revoked' && change.status === 'activated';
          return revokedForGood ? document : { ...document, ...change };
        },
      );
      if (!changed) return 'unknown';
      if (before) noteChange(ofInterest(before), ofInterest(changed));
      return revokedForGood ? 'revoked-for-good' : 'changed';
    },

    remove: async (organisationId, id) => {
      const document = await get(organisationId, id);
      if (!document) return false;
      noteChange(ofInterest(document), undefined);
      return wasStored(await registry.delete(tokenKey(organisationId, id)));
    },

    find: async (token) => {
      const [, organisation, id, secret] = TOKEN.exec(token) ?? [];
      const organisationId = Number(organisation);
      if (!id || !secret || !Number.isSafeInteger(organisationId)) return undefined;
      const document = await get(organisationId, Number(id));
      if (!document) return undefined;
      const known = Buffer.from(document.digest, 'base64url');
      return timingSafeEqual(known, digestOf(secret)) ? document : undefined;
    },

    stateOf: ({ status, expiryDate, ip: range }, ip) => {
      if (status === 'revoked') return 'revoked';
      if (expiryDate !== null && Date.parse(expiryDate) <= clock.now()) return 'expired';
      return range === null || isInRange(ip, range) ? 'usable' : 'forbidden-address';
    },
  };
}

/** The description of a token in the audit log. */
function ofInterest({ description, status, expiryDate, ip }: ApplicationTokenDocument) {
  return { description, status, expiry_date: expiryDate, ip };
}

function tokenKey(organisationId: number, id: number): string {
  return registryKey(APPLICATION_TOKEN.prefix, organisationId, id);
}
