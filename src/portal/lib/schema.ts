/** The parts of JSON Schema that connectors describe their credentials with. */
export interface PropertySchema {
  readonly type?: string;
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly enum?: readonly string[];
  readonly examples?: readonly unknown[];
  readonly items?: PropertySchema;
  readonly 'x-secret'?: string;
  readonly 'x-generate'?: string;
  /** The only formats with which the field has an effect. */
  readonly 'x-formats'?: readonly string[];
}
export interface CredentialSchema {
  readonly properties: Readonly<Record<string, PropertySchema>>;
  readonly required?: readonly string[];
}

/** The schema of a connection type's credentials; the API describes it as any object. */
export function credentialSchema({ schema }: { readonly schema: object }): CredentialSchema {
  return schema as CredentialSchema;
}

/** The fields that mean something with the format. */
export function ofFormat(schema: CredentialSchema, format: string): CredentialSchema {
  const properties = Object.entries(schema.properties).filter(([, property]) => isOf(property, format));
  return { ...schema, properties: Object.fromEntries(properties) };
}

const isOf = ({ 'x-formats': formats }: PropertySchema, format: string) => formats?.includes(format) ?? true;

type FieldKind = 'text' | 'secret' | 'number' | 'choice' | 'switch' | 'lines' | 'choices';
/** The value of a field: the text as it was typed. */
export type FieldValue = string | number | boolean | readonly string[];
export type FormValues = Readonly<Record<string, FieldValue>>;

export function fieldKind(property: PropertySchema): FieldKind {
  if (property.type === 'array') return property.items?.enum ? 'choices' : 'lines';
  if (property.enum) return 'choice';
  if (property.type === 'boolean') return 'switch';
  if (property.type === 'integer' || property.type === 'number') return 'number';
  // Of a URL only parts are secret, and the node masks them.
  return property['x-secret'] && property['x-secret'] !== 'url' ? 'secret' : 'text';
}

/** The first values of the form: stored values if a stream is changed, otherwise the defaults. */
export function initialValues(
  schema: CredentialSchema,
  stored: Readonly<Record<string, unknown>> = {},
): FormValues {
  return Object.fromEntries(
    Object.entries(schema.properties).map(([name, property]) => {
      const value = stored[name] ?? property.default;
      switch (fieldKind(property)) {
        case 'lines':
          return [name, Array.isArray(value) ? value.join('\n') : ''];
        case 'choices':
          return [name, Array.isArray(value) ? value : []];
        case 'switch':
          return [name, value === true];
        case 'number':
          return [name, typeof value === 'number' ? value : ''];
        default:
          return [name, typeof value === 'string' ? value : ''];
      }
    }),
  );
}

/**
 * The credentials of a call: empty fields are left out, so that the node names what is missing.
 * @param format a field that means nothing with it is as if it were empty
 * @param stored credentials of the stream that is changed: a stored field that the form has emptied is sent empty, which removes it
 */
export function toCredentials(
  schema: CredentialSchema,
  values: FormValues,
  format: string,
  stored: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  const credentials: Record<string, unknown> = {};
  for (const [name, property] of Object.entries(schema.properties)) {
    const value = isOf(property, format) ? values[name] : undefined;
    if (fieldKind(property) === 'lines') {
      const lines = String(value ?? '')
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => line !== '');
      if (lines.length > 0) credentials[name] = lines;
    } else if (Array.isArray(value)) {
      if (value.length > 0) credentials[name] = value;
    } else if (typeof value === 'string') {
      if (value.trim() !== '') credentials[name] = value.trim();
    } else if (value !== undefined) {
      credentials[name] = value;
    }
    if (credentials[name] === undefined && stored[name] !== undefined) {
      credentials[name] = property.type === 'array' ? [] : '';
    }
  }
  return credentials;
}

/** A new signing secret in the form of Standard Webhooks: 256 bits, as long as the signature's hash. */
export function newSigningSecret(random: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array): string {
  return `whsec_${btoa(String.fromCharCode(...random(new Uint8Array(32))))}`;
}
