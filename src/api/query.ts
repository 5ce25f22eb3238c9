import type { TObject } from 'typebox';
import { type FieldFault, faultsToError } from '../errors.ts';
import { nearest } from './misspelt.ts';
import { createValidator, MOST_FAULTS } from './validation.ts';

/** As much of a name as a fault repeats. */
const SHOWN = 60;

/**
 * Checks and converts the parameters of a query. Unlike members of a body, which clients send back as they have read them, a
 * parameter is only ever sent on purpose: ignored, `?invlid=skip` would refuse records instead of skipping them.
 * @param schema undefined: the call takes no parameters
 * @throws ApiError InvalidQueryCriteria that names each unknown parameter; else as createValidator
 */
export function createQueryValidator(schema: TObject | undefined): (query: object) => void {
  const known = Object.keys(schema?.properties ?? {});
  const validate = schema && createValidator(schema, 'text');
  const mayBeEmpty =
    (schema?.required ?? []).length === 0 &&
    Object.values(schema?.properties ?? {}).every((parameter) => !('default' in parameter));
  return (query) => {
    const given = Object.keys(query);
    // The usual case: no parameter to check or to fill in.
    if (given.length === 0 && mayBeEmpty) return;
    const unknown = given.filter((name) => !known.includes(name));
    if (unknown.length === 0) return validate?.(query);
    throw faultsToError(unknown.slice(0, MOST_FAULTS).map((name) => faultOf(name, known)));
  };
}

function faultOf(name: string, known: readonly string[]): FieldFault {
  const shown = name.length > SHOWN ? `${name.slice(0, SHOWN)}…` : name;
  const path = `/${shown.replaceAll('~', '~0').replaceAll('/', '~1')}`;
  const meant = nearest(name, known);
  const message =
    meant === undefined
      ? `is unknown; this call takes ${known.length > 0 ? known.join(', ') : 'no query parameters'}`
      : `is unknown; did you mean ${meant}?`;
  return { token: 'InvalidQueryCriteria', path, message };
}
