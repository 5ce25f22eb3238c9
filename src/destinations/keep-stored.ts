import type { TObject, TSchema } from 'typebox';
import type { FieldFault } from '../errors.ts';
import type { Credentials } from './contract.ts';
import { CREDENTIALS_PATH, isSecret, MASK } from './masking.ts';

interface Kept {
  readonly credentials: Record<string, unknown>;
  /** Secret fields that were not given and are as they are stored. */
  readonly secrets: readonly string[];
}

/**
 * The credentials of a change: what is given, and of the rest what is stored. An empty text in place of an optional field
 * removes it; null cannot, because generated clients send null for whatever they do not know.
 */
export function keepStored(schema: TObject, given: Credentials, stored: Credentials): Kept {
  const credentials: Record<string, unknown> = { ...given };
  const secrets: string[] = [];
  const required = new Set<string>((schema.required as string[] | undefined) ?? []);
  for (const [field, property] of Object.entries(schema.properties as Record<string, TSchema>)) {
    const before = stored[field];
    if (before === undefined || before === null) continue;
    if (credentials[field] === undefined) {
      credentials[field] = before;
      if (isSecret(property) && !isEmptyList(before)) secrets.push(field);
    } else if (credentials[field] === '' && !required.has(field)) {
      delete credentials[field];
    }
  }
  return { credentials, secrets };
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** The place of a changed destination, beside the place before. */
export interface Moved {
  /** Another host, account or project than before. */
  readonly elsewhere: boolean;
  /** Another path or query of the same host. */
  readonly readdressed: boolean;
}

/**
 * Stored secrets that must not follow a destination to where it points now. Nobody may learn a secret by changing where it
 * is sent, so another host gets none that was not given again. At the same host a field that was left out stays, because
 * leaving it out is what asks for that; a mask was only copied from an answer that showed another address.
 * @param masked paths of the masks that stand for a stored secret, inside the credentials (`/headers/0`)
 * @param omitted fields that were left out, see `Kept`
 */
export function strandedSecrets(
  { elsewhere, readdressed }: Moved,
  masked: readonly string[],
  omitted: readonly string[],
): FieldFault[] {
  const fault = (path: string, message: string): FieldFault => ({
    token: 'Required',
    path: `${CREDENTIALS_PATH}${path}`,
    message,
  });
  if (elsewhere) {
    const moved = 'the destination has changed, and stored secrets are not sent to another one';
    return [
      ...masked.map((path) => fault(path, `${moved}: give this one in full instead of ${MASK}`)),
      ...omitted.map((field) =>
        fault(`/${field}`, `${moved}: give this one in full, or send it empty to remove it`),
      ),
    ];
  }
  if (!readdressed) return [];
  return masked.map((path) => {
    const field = path.split('/')[1];
    const message = `${MASK} stands for the secret of the address before: give the secret in full, or leave ${field} out to keep the stored one`;
    return fault(path, message);
  });
}
