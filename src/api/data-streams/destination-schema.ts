import { type TObject, type TSchema, Type } from 'typebox';
import type { DestinationType } from '../../destinations/contract.ts';
import type { DocumentKeywords } from '../openapi-components.ts';

/** The schemas of a destination in requests and answers; those of its credentials come from the connection types. */

/** The formats of each connection type, the default first. */
function formatField(types: readonly DestinationType[]) {
  const each = types.map(({ connectionType, formats }) => `${connectionType}: ${formats.join(', ')}`);
  const description = `The form of the records; by default the first one of the connection type. ${each.join('. ')}.`;
  return Type.Optional(Type.String({ description, examples: ['Json'] }));
}

function connectionTypeField(types: readonly DestinationType[]) {
  const names = types.map(({ connectionType }) => connectionType);
  return Type.String({ description: names.join(', '), examples: names.slice(0, 1) });
}

export function destinationSchema(types: readonly DestinationType[]) {
  return Type.Object(
    {
      connection_type: connectionTypeField(types),
      // Validated against the schema of the connection type, which is not known before it is read.
      credentials: Type.Unsafe<unknown>({
        'x-any-of': types.map(credentialsSchema),
      } satisfies DocumentKeywords),
      format: formatField(types),
    },
    { 'x-component': 'Destination' } satisfies DocumentKeywords,
  );
}

export function destinationChangeSchema(types: readonly DestinationType[]) {
  return Type.Object(
    {
      connection_type: connectionTypeField(types),
      credentials: Type.Optional(
        Type.Unsafe<unknown>({
          'x-any-of': types.map((type) => maskedCredentialsSchema(type, 'Change')),
        } satisfies DocumentKeywords),
      ),
      format: formatField(types),
    },
    {
      'x-component': 'DestinationChange',
      description:
        'While the connection type stays the same, fields that are left out stay as they are, and an empty text removes an optional field. A mask (`***`) keeps the stored secret. A destination at another host, account or project needs its secrets again; at another path of the same host a mask is refused; leave the field out to keep it.',
    } satisfies DocumentKeywords,
  );
}

/** The schema of a field of the credentials, as plain JSON Schema. */
interface Keywords {
  readonly default?: unknown;
  readonly [keyword: string]: unknown;
}

/** The schema of the credentials, as plain JSON Schema. */
interface CredentialsSchema extends Keywords {
  readonly properties: Readonly<Record<string, Keywords>>;
  readonly required: readonly string[];
}

/**
 * The credentials of a connection type as a client sees them: fields with a default may be left out.
 * Annotations stay, among them `x-secret`, by which a form knows the fields to hide.
 */
export function credentialsSchema(type: DestinationType): CredentialsSchema {
  const { properties, required = [], ...schema } = type.credentials as TObject<Record<string, Keywords>>;
  const needed = required.filter((field: string) => properties[field]?.default === undefined);
  return {
    ...schema,
    properties,
    required: needed,
    title: type.title,
    description: type.summary,
    'x-component': `${type.connectionType}Credentials`,
  };
}

/**
 * The credentials as answers show them (`Shown`) and as a change takes them (`Change`, where nothing is needed): secrets
 * may be masks, and a mask fits no limit that a secret has.
 */
export function maskedCredentialsSchema(type: DestinationType, use: 'Shown' | 'Change'): TSchema {
  const { properties, required, ...schema } = credentialsSchema(type);
  const masked = Object.entries(properties).map(([field, property]) => {
    const { minLength, pattern, ...rest } = property;
    const erasable = use === 'Change' && !required.includes(field);
    return [field, property['x-secret'] === 'all' || erasable ? rest : property];
  });
  return {
    ...schema,
    properties: Object.fromEntries(masked),
    ...(use === 'Shown' ? { required } : {}),
    'x-component': `${type.connectionType}Credentials${use}`,
  };
}
