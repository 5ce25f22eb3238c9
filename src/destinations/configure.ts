import { isDeepStrictEqual } from 'node:util';
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import type { TObject, TSchema } from 'typebox';
import type { ErrorToken, FieldFault } from '../errors.ts';
import { tokenOf, withFormats } from '../lib/schema-errors.ts';
import { FORMATS } from '../records/formats.ts';
import type { ConfigurationFault, Configured, Credentials, DestinationType, Format } from './contract.ts';
import { keepStored, type Moved, strandedSecrets } from './keep-stored.ts';
import { CREDENTIALS_PATH, restoreMasked } from './masking.ts';

export type ConfigureResult =
  | {
      readonly type: 'configured';
      readonly configured: Configured;
      /** The credentials to store: only known fields, with defaults, and with the secrets in place of masks. */
      readonly credentials: Credentials;
      readonly format: Format;
    }
  | { readonly type: 'invalid'; readonly faults: readonly FieldFault[] };

/** The stored configuration of a stream that is being changed, if its connection type stays. */
export interface StoredConfiguration {
  readonly credentials: Credentials;
  /** Configured.identity of then. */
  readonly identity: string;
  readonly format: Format;
}

/**
 * Makes a configured destination from a client's `destination.credentials` and `destination.format`.
 * It is lenient where generated clients need it: null means not given (also for an unknown member), digits in a string are
 * an integer, and a missing format means the first of the type. It is strict otherwise: an unknown member is a fault, because
 * a customer who gives an encryption key or another store must not believe that it has an effect. One fault per field, with
 * its path in the body.
 * @param stored the configuration that is being changed: it replaces masks and missing fields. Without it each mask is a
 *   fault
 */
export function configureDestination(
  type: DestinationType,
  raw: unknown,
  format?: unknown,
  stored?: StoredConfiguration,
): ConfigureResult {
  const chosen = chooseFormat(type, format ?? stored?.format);
  const formatFaults = typeof chosen === 'string' ? [] : [chosen];
  const given = raw ?? (stored ? {} : undefined);
  if (typeof given !== 'object' || Array.isArray(given)) {
    const fault =
      given !== undefined
        ? newFault('InvalidFormat', CREDENTIALS_PATH, 'must be an object')
        : newFault('Required', CREDENTIALS_PATH, `is missing: the credentials of ${type.connectionType}`);
    return { type: 'invalid', faults: [fault, ...formatFaults] };
  }
  const kept = keepStored(
    type.credentials,
    knownFields(type.credentials, given as Record<string, unknown>),
    stored?.credentials ?? {},
  );
  const known = kept.credentials;
  const unknown = unknownFaults(type, given as Record<string, unknown>);
  const restored = restoreMasked(type.credentials, known, stored?.credentials ?? {});
  if (restored.type === 'invalid') {
    const masks = new Set(restored.faults.map((fault) => fault.path));
    const others = schemaFaults(type, known).filter((fault) => !masks.has(fault.path));
    return { type: 'invalid', faults: [...restored.faults, ...others, ...unknown, ...formatFaults] };
  }
  const { credentials } = restored;
  const faults = [
    ...schemaFaults(type, credentials),
    ...sizeFaults(credentials),
    ...(typeof chosen === 'string' ? uselessFaults(type, credentials, chosen) : []),
    ...unknown,
    ...formatFaults,
  ];
  if (faults.length > 0 || typeof chosen !== 'string') return { type: 'invalid', faults };
  const configured = type.configure(credentials, chosen);
  if (Array.isArray(configured)) return { type: 'invalid', faults: configured.map(connectorFault) };
  if (stored) {
    const stranded = strandedSecrets(movedFrom(type, stored, configured), restored.masked, kept.secrets);
    if (stranded.length > 0) return { type: 'invalid', faults: stranded };
  }
  return { type: 'configured', configured, credentials, format: chosen };
}

function movedFrom(type: DestinationType, stored: StoredConfiguration, now: Configured): Moved {
  const configured = type.configure(stored.credentials, stored.format);
  // This version may refuse what an older version accepted. Then only the stored identity is known.
  const before = Array.isArray(configured) ? { identity: stored.identity } : configured;
  return {
    elsewhere: before.identity !== now.identity,
    readdressed: 'address' in before && before.address !== now.address,
  };
}

function chooseFormat(type: DestinationType, format: unknown): Format | FieldFault {
  if (format === undefined || format === null) return type.formats[0] as Format;
  const known = type.formats.find((each) => each === format);
  if (known) return known;
  const what = typeof format === 'string' && Object.hasOwn(FORMATS, format) ? ` and not ${format}` : '';
  const message = `${type.connectionType} delivers ${type.formats.join(', ')}${what}`;
  return newFault(
    typeof format === 'string' ? 'OutOfRange' : 'InvalidFormat',
    '/destination/format',
    message,
  );
}

/** The fields of the schema, without nulls; digits in strings become integers. */
function knownFields(schema: TObject, raw: Record<string, unknown>): Record<string, unknown> {
  const known: Record<string, unknown> = {};
  for (const [field, property] of Object.entries(schema.properties)) {
    const value = Object.hasOwn(raw, field) ? raw[field] : undefined;
    if (value === undefined || value === null) continue;
    const digits = keywords(property).type === 'integer' && typeof value === 'string' && DIGITS.test(value);
    known[field] = digits ? Number(value) : value;
  }
  return known;
}

/** One fault for each unknown member that is not null. */
function unknownFaults(type: DestinationType, raw: Record<string, unknown>): FieldFault[] {
  const fields = Object.keys(type.credentials.properties);
  return Object.keys(raw)
    .filter((name) => !fields.includes(name) && raw[name] !== null && raw[name] !== undefined)
    .map((name) => {
      const path = `${CREDENTIALS_PATH}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
      const message = `is not a field of ${type.connectionType}, which has ${fields.join(', ')}`;
      return newFault('NotAllowed', path, message);
    });
}

/**
 * Fields that have no effect with the format: `x-formats` of their schema names those with which they have one. A customer
 * who gives such a field must not believe that it does something. The default is as good as not given.
 */
function uselessFaults(
  { credentials: schema }: DestinationType,
  given: Credentials,
  format: Format,
): FieldFault[] {
  return Object.entries(schema.properties).flatMap(([field, property]) => {
    const { 'x-formats': formats, default: usual } = keywords(property);
    const value = given[field];
    const isEmpty = value === undefined || (Array.isArray(value) && value.length === 0);
    const isSet = !isEmpty && !isDeepStrictEqual(value, usual);
    if (!formats || formats.includes(format) || !isSet) return [];
    const message = `has no effect with the format ${format}, only with ${formats.join(', ')}: leave it out, or give an empty text to remove it`;
    return [newFault('NotAllowed', `${CREDENTIALS_PATH}/${field}`, message)];
  });
}

/**
 * Credentials as a whole, as JSON. They are read with every listing of data streams; and what they are made of, the headers of
 * a webhook, no common server takes beyond 16 KiB.
 */
export const LARGEST_CREDENTIALS = 16 * 2 ** 10;

function sizeFaults(credentials: Credentials): FieldFault[] {
  const bytes = Buffer.byteLength(JSON.stringify(credentials));
  if (bytes <= LARGEST_CREDENTIALS) return [];
  const message = `have ${bytes} bytes as a whole, more than the ${LARGEST_CREDENTIALS} that are allowed`;
  return [newFault('OutOfRange', CREDENTIALS_PATH, message)];
}

/** Up to 15 digits: every such number is exact. */
const DIGITS = /^-?\d{1,15}$/;

const ajv = withFormats(new Ajv({ allErrors: true, useDefaults: true, strict: false }));
const validators = new WeakMap<TObject, ValidateFunction>();

/** Validates against the type's schema, and fills its defaults into `credentials`. One fault per path. */
function schemaFaults(type: DestinationType, credentials: Credentials): FieldFault[] {
  let validate = validators.get(type.credentials);
  if (!validate) {
    validate = ajv.compile(type.credentials);
    validators.set(type.credentials, validate);
  }
  if (validate(credentials)) return [];
  const faults = new Map<string, FieldFault>();
  for (const error of validate.errors ?? []) {
    const fault = schemaFault(error, type.credentials);
    if (!faults.has(fault.path)) faults.set(fault.path, fault);
  }
  return [...faults.values()];
}

function schemaFault(error: ErrorObject, schema: TObject): FieldFault {
  const token = tokenOf(error.keyword);
  if (error.keyword === 'required') {
    const { missingProperty } = error.params as { missingProperty: string };
    const property = schema.properties[missingProperty];
    const title = property ? keywords(property).title : undefined;
    const message = `is missing${title ? `: ${title}` : ''}`;
    return newFault(token, `${CREDENTIALS_PATH}${error.instancePath}/${missingProperty}`, message);
  }
  const field = error.instancePath.split('/')[1] ?? '';
  return newFault(token, `${CREDENTIALS_PATH}${error.instancePath}`, say(error, schema.properties[field]));
}

/** The fault in words; ajv's own where they are plain enough. Never the value: it may be a secret. */
function say(error: ErrorObject, property: TSchema | undefined): string {
  const { type, minimum, maximum, enum: choices } = property ? keywords(property) : ({} as Keywords);
  const integer = error.keyword === 'type' && type === 'integer';
  if (integer || error.keyword === 'minimum' || error.keyword === 'maximum') {
    if (minimum !== undefined && maximum !== undefined) {
      return `must be ${integer ? 'an integer ' : ''}from ${minimum} to ${maximum}`;
    }
  }
  if (error.keyword === 'enum' && choices) return `must be one of ${choices.join(', ')}`;
  if (error.keyword === 'minLength') {
    const { limit } = error.params as { limit: number };
    return limit === 1 ? 'must not be empty' : `must be at least ${limit} characters long`;
  }
  if (error.keyword === 'maxLength') {
    return `must be at most ${(error.params as { limit: number }).limit} characters long`;
  }
  return error.message ?? `does not satisfy ${error.keyword}`;
}

interface Keywords {
  readonly type?: string;
  readonly title?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly 'x-formats'?: readonly Format[];
}

function keywords(property: TSchema): Keywords {
  return property as Keywords;
}

function connectorFault({ path, message }: ConfigurationFault): FieldFault {
  return newFault('InvalidFormat', `${CREDENTIALS_PATH}${path}`, message);
}

function newFault(token: ErrorToken, path: string, message: string): FieldFault {
  return { token, path, message };
}
