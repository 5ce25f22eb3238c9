import type { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import type { ErrorToken } from '../errors.ts';

const OUT_OF_RANGE = new Set([
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'minProperties',
  'maxProperties',
  'enum',
  'const',
  'anyOf',
  'oneOf',
]);

/** The error token of a violated keyword of JSON Schema. */
export function tokenOf(keyword: string): ErrorToken {
  if (keyword === 'required') return 'Required';
  return OUT_OF_RANGE.has(keyword) ? 'OutOfRange' : 'InvalidFormat';
}

/** Teaches ajv the formats of strings. */
export function withFormats(ajv: Ajv): Ajv {
  // The types of ajv-formats name the default export of ajv, which is the same class under another name.
  (addFormats as unknown as (target: Ajv) => void)(ajv);
  return ajv;
}
