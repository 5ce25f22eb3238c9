import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import type { TSchema } from 'typebox';
import { ApiError, type FieldFault, faultsToError } from '../errors.ts';
import { tokenOf, withFormats } from '../lib/schema-errors.ts';
import { misspeltMembers } from './misspelt.ts';

/** As many faults as one answer lists. */
export const MOST_FAULTS = 20;

/** Deeper than any body of the API, and shallow enough for a stack. */
export const DEEPEST_BODY = 64;

/** Fills defaults in. @throws ApiError with one token per fault, see tokenOf */
type Validator = (value: unknown) => void;

// Query values are converted to numbers and booleans if the schema says so; values of a body never are.
const bodies = withFormats(new Ajv({ allErrors: true, strict: false, useDefaults: true }));
const texts = withFormats(new Ajv({ allErrors: true, strict: false, useDefaults: true, coerceTypes: true }));

/**
 * Compiles at its first use: a node starts sooner, and most of its routes are never called.
 * @param from `body`: JSON; `text`: of a query or path, where every value is a text
 */
export function createValidator(schema: TSchema, from: 'body' | 'text'): Validator {
  let validate: ValidateFunction | undefined;
  return (value) => {
    validate ??= (from === 'body' ? bodies : texts).compile(schema);
    const valid = validate(value);
    const misspelt = misspeltMembers(schema, value);
    if (valid && misspelt.length === 0) return;
    const named = new Set(misspelt.map(({ path }) => path));
    const others = valid ? [] : toFaults(validate.errors ?? []).filter(({ path }) => !named.has(path));
    const faults = [...misspelt, ...others];
    throw faultsToError(faults.slice(0, MOST_FAULTS));
  };
}

/** One fault per path; of several keywords that a value offends, the first. */
function toFaults(errors: readonly ErrorObject[]): FieldFault[] {
  const faults = new Map<string, FieldFault>();
  for (const error of errors) {
    const isUnion = error.keyword === 'anyOf' || error.keyword === 'oneOf';
    const fault = isUnion ? unionFault(error, errors) : toFault(error);
    if (isUnion || !faults.has(fault.path)) faults.set(fault.path, fault);
    if (faults.size >= MOST_FAULTS) break;
  }
  return [...faults.values()];
}

/** For a union ajv reports a fault per alternative, and last that none fits: people read which alternatives there are. */
function unionFault(error: ErrorObject, errors: readonly ErrorObject[]): FieldFault {
  const path = error.instancePath;
  const own = errors.filter(({ instancePath }) => instancePath === path);
  const values = own.filter(({ keyword }) => keyword === 'const').map(({ params }) => params.allowedValue);
  const types = own.filter(({ keyword }) => keyword === 'type').map(({ params }) => params.type);
  if (values.length > 0)
    return { token: 'OutOfRange', path, message: `must be one of ${[...new Set(values)].join(', ')}` };
  if (types.length > 0)
    return {
      token: 'InvalidFormat',
      path,
      message: `must be of type ${[...new Set(types.flat())].join(' or ')}`,
    };
  return toFault(error);
}

function toFault({ keyword, instancePath, params, message }: ErrorObject): FieldFault {
  if (keyword === 'required') {
    const { missingProperty } = params as { missingProperty: string };
    return { token: 'Required', path: `${instancePath}/${missingProperty}`, message: 'is missing' };
  }
  if (keyword === 'additionalProperties') {
    const { additionalProperty } = params as { additionalProperty: string };
    return { token: 'NotAllowed', path: `${instancePath}/${additionalProperty}`, message: 'is unknown' };
  }
  return { token: tokenOf(keyword), path: instancePath, message: inWords(keyword, params, message) };
}

function inWords(keyword: string, params: Record<string, unknown>, message: string | undefined): string {
  if (keyword === 'type') return `must be of type ${[params.type].flat().join(' or ')}`;
  if (keyword === 'enum') return `must be one of ${(params.allowedValues as unknown[]).join(', ')}`;
  if (keyword === 'const') return `must be ${String(params.allowedValue)}`;
  if (keyword === 'format') return `is not of the form ${String(params.format)}`;
  if (keyword === 'minLength' && params.limit === 1) return 'must not be empty';
  const limit = String(params.limit);
  switch (keyword) {
    case 'minimum':
      return `must be at least ${limit}`;
    case 'maximum':
      return `must be at most ${limit}`;
    case 'minLength':
      return `must have at least ${limit} characters`;
    case 'maxLength':
      return `must have at most ${limit} characters`;
    case 'minItems':
      return params.limit === 1 ? 'must not be empty' : `must have at least ${limit} items`;
    case 'maxItems':
      return `must have at most ${limit} items`;
    case 'uniqueItems':
      return `has the item ${String(params.i)} twice`;
  }
  return message ?? 'is invalid';
}

/**
 * A JSON body without the members that are null: null means not given. Items of arrays stay.
 * @param kept members of the body itself that stay although they are null
 * @throws ApiError BadRequest for a body that is nested too deep
 */
export function withoutNulls(value: unknown, kept: readonly string[] = [], depth = 0): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= DEEPEST_BODY) {
    throw new ApiError('BadRequest', `The body is nested more than ${DEEPEST_BODY} levels deep.`);
  }
  if (Array.isArray(value)) return value.map((item) => withoutNulls(item, [], depth + 1));
  const result: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(value)) {
    if (name === '__proto__' || (member === null && !kept.includes(name))) continue;
    result[name] = withoutNulls(member, [], depth + 1);
  }
  return result;
}
