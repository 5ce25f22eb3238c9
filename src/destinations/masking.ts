import type { TObject, TSchema } from 'typebox';
import type { FieldFault } from '../errors.ts';
import type { Credentials, DestinationType } from './contract.ts';
import { maskUrl, maskUrlsIn, restoreUrl, secretsInUrl } from './url-secrets.ts';

/** Replaces a secret in every answer; sent back, it means "keep the stored one". */
export const MASK = '***';

/** Where credentials stand in the body of a create or patch: paths of faults begin with it. */
export const CREDENTIALS_PATH = '/destination/credentials';

/** A JSON value, as a masked credential is. */
type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue | undefined };

type SecretForm = 'all' | 'headers' | 'connectionString' | 'url';

type Restored =
  | {
      readonly type: 'restored';
      readonly credentials: Credentials;
      /** Paths inside the credentials (`/headers/0`) of the masks that were replaced by what is stored. */
      readonly masked: readonly string[];
    }
  | { readonly type: 'invalid'; readonly faults: readonly FieldFault[] };

/**
 * Credentials as they may be shown: secrets (`x-secret` of the schema) are masked, fields that the schema does not know
 * are left out.
 */
export function maskCredentials(schema: TObject, credentials: Credentials): { [field: string]: JsonValue } {
  const masked: { [field: string]: JsonValue } = {};
  for (const [field, property] of Object.entries(schema.properties)) {
    const value = credentials[field];
    if (value === undefined || value === null) continue;
    const form = secretForm(property);
    masked[field] = form ? maskValue(form, value) : (value as JsonValue);
  }
  return masked;
}

interface ShownDestination {
  readonly maskedCredentials: { readonly [field: string]: JsonValue };
  readonly target: string;
}

/** Masks the shown credentials of an older version. Credentials that this version masked stay as they are. */
export function maskShown(
  type: Pick<DestinationType, 'credentials'> | undefined,
  { maskedCredentials, target }: ShownDestination,
): ShownDestination {
  // Of a type that this version does not know, only the version that wrote it knows what is secret.
  if (!type) return { maskedCredentials, target };
  const hasUrl = Object.values(type.credentials.properties).some((field) => secretForm(field) === 'url');
  return {
    maskedCredentials: maskCredentials(type.credentials, maskedCredentials),
    target: hasUrl ? maskUrlsIn(target) : target,
  };
}

/**
 * Puts the stored secrets where masks were sent back. Takes what a client sent, valid or not: what is not a mask is left
 * as it is, for the validation that follows. A mask with nothing stored behind it is a fault: Required.
 */
export function restoreMasked(schema: TObject, given: Credentials, stored: Credentials): Restored {
  const credentials: Record<string, unknown> = { ...given };
  const faults: FieldFault[] = [];
  const masked: string[] = [];
  for (const [field, property] of Object.entries(schema.properties)) {
    const form = secretForm(property);
    const value = given[field];
    if (!form || value === undefined || value === null) continue;
    const restored = restoreValue(form, value, stored[field]);
    credentials[field] = restored.value;
    masked.push(...restored.kept.map((path) => `/${field}${path}`));
    for (const path of restored.missing)
      faults.push(missingSecret(form, `${CREDENTIALS_PATH}/${field}${path}`));
  }
  return faults.length > 0 ? { type: 'invalid', faults } : { type: 'restored', credentials, masked };
}

/** Every secret text in credentials, longest first: what must not appear in a log line or in the words of a remote. */
export function secretsOf(schema: TObject, credentials: Credentials): string[] {
  const secrets = Object.entries(schema.properties).flatMap(([field, property]) => {
    const form = secretForm(property);
    const value = credentials[field];
    if (form === 'headers') return texts(value).map((header) => splitHeader(header).value);
    if (form === 'connectionString') return texts(value).flatMap((text) => sharedSecrets(text));
    if (form === 'url') return texts(value).flatMap((text) => secretsInUrl(text));
    return form ? texts(value) : [];
  });
  return [...new Set(secrets)].filter((secret) => secret !== '').sort((a, b) => b.length - a.length);
}

/** Whether a field holds a secret, or may hold one: all of it or a part. */
export function isSecret(property: TSchema): boolean {
  return secretForm(property) !== undefined;
}

function secretForm(property: TSchema): SecretForm | undefined {
  return (property as { 'x-secret'?: SecretForm })['x-secret'];
}

function texts(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

function maskValue(form: SecretForm, value: unknown): JsonValue {
  if (form === 'headers' && Array.isArray(value)) {
    return texts(value).map((header) => `${splitHeader(header).name}:${MASK}`);
  }
  if (form === 'connectionString' && typeof value === 'string') {
    return value.replace(SHARED_SECRET, (_, name: string) => `${name}${MASK}`);
  }
  return form === 'url' && typeof value === 'string' ? maskUrl(value) : MASK;
}

interface RestoredValue {
  readonly value: unknown;
  /** Paths inside the value of masks that were replaced. */
  readonly kept: readonly string[];
  /** Paths inside the value of masks with nothing behind them. */
  readonly missing: readonly string[];
}

function restoreValue(form: SecretForm, value: unknown, stored: unknown): RestoredValue {
  if (form === 'headers') return restoreHeaders(value, texts(stored));
  if (form === 'connectionString') return restoreConnectionString(value, stored);
  if (form === 'url') return restoreWholeUrl(value, stored);
  if (value !== MASK) return { value, kept: [], missing: [] };
  return stored === undefined || stored === null
    ? { value, kept: [], missing: [''] }
    : { value: stored, kept: [''], missing: [] };
}

/** The n-th masked header of a name takes the value of the n-th stored one of that name, in any case of letters. */
function restoreHeaders(value: unknown, stored: readonly string[]): RestoredValue {
  if (!Array.isArray(value)) return { value, kept: [], missing: [] };
  const missing: string[] = [];
  const seen = new Map<string, number>();
  const kept: string[] = [];
  const restored = value.map((item: unknown, index) => {
    if (typeof item !== 'string') return item;
    const { name, value: text } = splitHeader(item);
    const key = name.toLowerCase();
    const nth = seen.get(key) ?? 0;
    seen.set(key, nth + 1);
    if (text !== MASK) return item;
    const same = stored.filter((header) => splitHeader(header).name.toLowerCase() === key)[nth];
    if (same === undefined) {
      missing.push(`/${index}`);
      return item;
    }
    kept.push(`/${index}`);
    const before = splitHeader(same);
    // As it was written: a header that is sent back as it was shown is not a change.
    return before.name === name ? same : `${name}:${before.value}`;
  });
  return { value: restored, kept, missing };
}

function restoreWholeUrl(value: unknown, stored: unknown): RestoredValue {
  const restored = typeof value === 'string' ? restoreUrl(value, stored) : undefined;
  if (restored?.type === 'stored') return { value: restored.url, kept: [''], missing: [] };
  return { value, kept: [], missing: restored?.type === 'missing' ? [''] : [] };
}

/** The secret parts of an Azure connection string: `SharedAccessKey=…` up to the next semicolon. */
const SHARED_SECRET = /((?:^|;)\s*(?:SharedAccessKey|SharedAccessSignature)\s*=)([^;]*)/gi;

function sharedSecrets(text: string): string[] {
  return [...text.matchAll(SHARED_SECRET)].map((match) => (match[2] as string).trim());
}

function restoreConnectionString(value: unknown, stored: unknown): RestoredValue {
  if (typeof value !== 'string') return { value, kept: [], missing: [] };
  const behind = new Map<string, string>();
  for (const [, name, secret] of typeof stored === 'string' ? stored.matchAll(SHARED_SECRET) : []) {
    behind.set(partName(name as string), secret as string);
  }
  let kept: string[] = [];
  let missing: string[] = [];
  const restored = value.replace(SHARED_SECRET, (whole, name: string, secret: string) => {
    if (secret.trim() !== MASK) return whole;
    const known = behind.get(partName(name));
    if (known === undefined) {
      missing = [''];
      return whole;
    }
    kept = [''];
    return `${name}${known}`;
  });
  return { value: restored, kept, missing };
}

function partName(prefix: string): string {
  return prefix.replace(/[;=\s]/g, '').toLowerCase();
}

/** `name:value`, cut at the first colon, both trimmed; a text without a colon is a name without a value. */
export function splitHeader(header: string): { readonly name: string; readonly value: string } {
  const colon = header.indexOf(':');
  if (colon < 0) return { name: header.trim(), value: '' };
  return { name: header.slice(0, colon).trim(), value: header.slice(colon + 1).trim() };
}

function missingSecret(form: SecretForm, path: string): FieldFault {
  const message =
    form === 'url'
      ? `${MASK} stands for a part of the stored URL, and this is not that URL: give the whole URL`
      : `${MASK} stands for a stored secret, and none is stored here: give the secret itself`;
  return { token: 'Required', path, message };
}
