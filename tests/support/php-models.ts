/**
 * How a PHP client that the OpenAPI Generator made reads and writes models, as far as it decides what can be sent back:
 * a value is cast to the type of the document; what should be a list and is none becomes an empty list; members that the
 * document does not know are dropped; members that are null are not sent.
 */
interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly anyOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
}
interface Definition {
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/** @throws Error for an enumeration that the model refuses, as its setter does */
export function deserialize(value: unknown, model: string, definition: Definition): unknown {
  return cast(value, definition.components.schemas[model] as Schema, definition);
}

function cast(value: unknown, schema: Schema, definition: Definition): unknown {
  if (value === null || value === undefined) return null;
  if (schema.$ref) {
    return cast(
      value,
      definition.components.schemas[schema.$ref.split('/').at(-1) ?? ''] as Schema,
      definition,
    );
  }
  if (schema.anyOf) return cast(value, fitting(value, schema.anyOf, definition), definition);
  if (schema.enum && !schema.enum.includes(value)) throw new Error(`${value} is not among ${schema.enum}`);
  switch (schema.type) {
    case 'array':
      return Array.isArray(value) ? value.map((item) => cast(item, schema.items ?? {}, definition)) : [];
    case 'object': {
      const members = value as Record<string, unknown>;
      const known = Object.entries(schema.properties ?? {});
      return Object.fromEntries(known.map(([name, inner]) => [name, cast(members[name], inner, definition)]));
    }
    case 'string':
      return typeof value === 'object' ? '' : value === true ? '1' : value === false ? '' : String(value);
    case 'integer':
      return Math.trunc(Number(value));
    case 'number':
      return Number(value);
    default:
      return value;
  }
}

/** The first alternative of which all required members are present. */
function fitting(value: unknown, alternatives: readonly Schema[], definition: Definition): Schema {
  const resolved = alternatives.map((each) =>
    each.$ref ? (definition.components.schemas[each.$ref.split('/').at(-1) ?? ''] as Schema) : each,
  );
  const found = resolved.find((each) => each.required?.every((name) => Object.hasOwn(value as object, name)));
  if (!found) throw new Error(`no model fits ${JSON.stringify(value)}`);
  return found;
}

export function serialize(model: unknown): unknown {
  if (Array.isArray(model)) return model.map(serialize);
  if (typeof model !== 'object' || model === null) return model;
  const members = Object.entries(model).filter(([, value]) => value !== null);
  return Object.fromEntries(members.map(([name, value]) => [name, serialize(value)]));
}
