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

/** Maps a violated keyword of JSON Schema to its error token. */
export function tokenOf(keyword: string): ErrorToken {
  if (keyword === 'required') return 'Required';
  return OUT_OF_RANGE.has(keyword) ? 'OutOfRange' : 'InvalidFormat';
}

/** Adds the string formats to ajv. */
export function withFormats(ajv: Ajv): Ajv {
  // The types of ajv-formats name ajv's default export, which is the same class under another name.
  (addFormats as unknown as (target: Ajv) => void)(ajv);
  return ajv;
}
