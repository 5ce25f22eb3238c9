import type { CredentialSchema } from './schema.ts';

/** The text in place of a secret when a call is shown. */
const placeholder = (name: string) => `<${name}>`;

/** A body of a call as it may be shown: secrets of the destination, passwords and codes are placeholders. */
export function withoutSecrets(
  body: unknown,
  schemaOf: (type: string) => CredentialSchema | undefined,
): unknown {
  const { destination } = (body ?? {}) as {
    destination?: { connection_type: string; credentials?: unknown };
  };
  if (!destination) return withoutCredentials(body);
  const schema = schemaOf(destination.connection_type);
  const shown = Object.entries((destination.credentials ?? {}) as Record<string, unknown>).map(
    ([name, value]) => [name, shownValue(name, value, schema?.properties[name]?.['x-secret'])],
  );
  return { ...(body as object), destination: { ...destination, credentials: Object.fromEntries(shown) } };
}

/** The password of the reader, a login code, and the secret that signs notifications. */
const OWN = new Set(['password', 'current_password', 'code', 'signing_secret']);

function withoutCredentials(body: unknown): unknown {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return body;
  const shown = Object.entries(body).map(([name, value]) => [
    name,
    OWN.has(name) ? placeholder(name) : shownValue(name, value, name === 'url' ? 'url' : undefined),
  ]);
  return Object.fromEntries(shown);
}

function shownValue(name: string, value: unknown, secret: string | undefined): unknown {
  if (secret === undefined) return value;
  // The node decides which parts of a URL are secret; the host is enough to recognise the target of a call.
  if (secret === 'url' && URL.canParse(String(value))) return `${new URL(String(value)).origin}/<path>`;
  if (secret !== 'headers' || !Array.isArray(value)) return placeholder(name);
  return value.map((line) => String(line).replace(/:.*$/s, ':<value>'));
}
