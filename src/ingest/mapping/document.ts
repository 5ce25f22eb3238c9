import { Ajv } from 'ajv';
import { type Static, Type } from 'typebox';
import { withFormats } from '../../lib/schema-errors.ts';
import { KINDS, kindNamed, RECORD_KINDS, type RecordKind } from '../../records/kinds.ts';
import { RECORD_FIELDS } from '../../records/schema.ts';
import { UNITS } from './units.ts';

/**
 * A mapping: how the records of another platform become usage records or events. docs/mappings.md describes each member for
 * people who write one.
 *
 *   mapping    = { kind, format, csv?, records?, only?, fields, cumulative? }
 *   fields     = { a field of the record, with dots : source … }
 *   source     = { value } | { hash } | { sum } | { from, … }
 */
const strict = { additionalProperties: false };
const Path = Type.String({ minLength: 1, maxLength: 200 });
const Paths = Type.Union([Path, Type.Array(Path, { minItems: 1, maxItems: 8 })]);

const From = Type.Object(
  {
    from: Paths,
    unit: Type.Optional(Type.Union(Object.keys(UNITS).map((unit) => Type.Literal(unit)))),
    times: Type.Optional(Type.Integer({ minimum: 1 })),
    time: Type.Optional(Type.String({ minLength: 1, maxLength: 60 })),
    zone: Type.Optional(Type.String({ minLength: 1, maxLength: 60 })),
    slice: Type.Optional(Type.Array(Type.Integer(), { minItems: 1, maxItems: 2 })),
    lookup: Type.Optional(
      Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.String({ minLength: 1 })]),
    ),
    default: Type.Optional(Type.Unknown()),
  },
  strict,
);
const Constant = Type.Object({ value: Type.Unknown() }, strict);
const Hash = Type.Object({ hash: Type.Array(Path, { minItems: 1, maxItems: 8 }) }, strict);
const Sum = Type.Object({ sum: Type.Array(Type.Union([Path, From]), { minItems: 1, maxItems: 8 }) }, strict);
const Match = Type.Object({ from: Path, is: Type.Array(Type.String(), { minItems: 1 }) }, strict);

const Document = Type.Object(
  {
    description: Type.Optional(Type.String()),
    kind: Type.Union(RECORD_KINDS.map((kind) => Type.Literal(KINDS[kind].name))),
    format: Type.Union([Type.Literal('csv'), Type.Literal('json')]),
    csv: Type.Optional(
      Type.Object(
        {
          delimiter: Type.Optional(Type.String({ minLength: 1, maxLength: 1 })),
          columns: Type.Optional(Type.Array(Type.String(), { minItems: 1, maxItems: 1000 })),
          decimal_comma: Type.Optional(Type.Boolean()),
        },
        strict,
      ),
    ),
    records: Type.Optional(Path),
    only: Type.Optional(Type.Array(Match, { minItems: 1, maxItems: 8 })),
    fields: Type.Record(Type.String(), Type.Union([Constant, Hash, Sum, From])),
    cumulative: Type.Optional(
      Type.Object(
        {
          key: Type.Array(Path, { minItems: 1, maxItems: 8 }),
          counters: Type.Array(Path, { minItems: 1, maxItems: 8 }),
          ends: Type.Optional(Match),
        },
        strict,
      ),
    ),
  },
  strict,
);

export type MappingDocument = Static<typeof Document>;
export type Source = MappingDocument['fields'][string];
export type FromSource = Static<typeof From>;
export type MatchDocument = Static<typeof Match>;

interface MappingFault {
  /** JSON pointer into the document. */
  readonly path: string;
  readonly message: string;
}

const validate = withFormats(new Ajv({ allErrors: true, strict: false })).compile(Document);

/** Checks the form of a mapping, and that it makes whole records. */
export function readMappingDocument(
  value: unknown,
):
  | { readonly type: 'valid'; readonly document: MappingDocument; readonly kind: RecordKind }
  | { readonly type: 'invalid'; readonly faults: readonly MappingFault[] } {
  if (!validate(value)) return { type: 'invalid', faults: formFaults(value) };
  const document = value as MappingDocument;
  const kind = kindNamed(document.kind) as RecordKind;
  const faults = [...meaningFaults(document, kind)];
  return faults.length > 0 ? { type: 'invalid', faults } : { type: 'valid', document, kind };
}

function formFaults(value: unknown): MappingFault[] {
  const faults = new Map<string, MappingFault>();
  for (const { instancePath, keyword, params, message } of validate.errors ?? []) {
    const source = /^\/fields\/[^/]+/.exec(instancePath)?.[0];
    // If no kind of source fits, each kind has a fault: the members show which one the writer meant.
    const path = source ?? instancePath;
    if (faults.has(path)) continue;
    faults.set(path, {
      path,
      message: source
        ? sourceFault(value, source)
        : keyword === 'const'
          ? `must be ${allowedAt(instancePath).join(' or ')}`
          : inWords(keyword, params, message),
    });
  }
  return [...faults.values()].slice(0, 20);
}

/** The values that a member may have. */
const allowedAt = (path: string): string[] =>
  (validate.errors ?? [])
    .filter(({ keyword, instancePath }) => keyword === 'const' && instancePath === path)
    .map(({ params }) => String(params.allowedValue));

const ALLOWED_IN_FROM = Object.keys(From.properties);

function sourceFault(value: unknown, path: string): string {
  const name = path.slice('/fields/'.length).replaceAll('~1', '/').replaceAll('~0', '~');
  const source = (value as { fields: Record<string, unknown> }).fields[name];
  const members = typeof source === 'object' && source !== null ? Object.keys(source) : [];
  const kinds = ['value', 'hash', 'sum', 'from'];
  if (kinds.filter((kind) => members.includes(kind)).length !== 1)
    return 'must have exactly one of value, hash, sum and from';
  const unknown = members.filter((member) => !kinds.includes(member) && !ALLOWED_IN_FROM.includes(member));
  if (unknown.length > 0)
    return `has ${unknown.join(', ')}; beside from there may be ${ALLOWED_IN_FROM.slice(1).join(', ')}`;
  if (!members.includes('from') && members.length > 1)
    return `may have nothing beside ${members.find((member) => kinds.includes(member))}`;
  return `has a member of the wrong form; units are ${Object.keys(UNITS).join(', ')}, hash and sum are lists, times is a whole number, slice has one or two whole numbers`;
}

function inWords(keyword: string, params: Record<string, unknown>, message: string | undefined): string {
  if (keyword === 'required') return `has no ${String(params.missingProperty)}`;
  if (keyword === 'additionalProperties') return `has an unknown member ${String(params.additionalProperty)}`;
  return message ?? 'is invalid';
}

/** Members that only mean something for fields of one type. */
const ONLY_FOR = { unit: 'decimal', times: 'decimal', time: 'timestamp', zone: 'timestamp' } as const;

function* meaningFaults(document: MappingDocument, kind: RecordKind): Generator<MappingFault> {
  const { fields, cumulative, format, csv, records } = document;
  const known = new Map(RECORD_FIELDS[kind].map((field) => [field.path, field]));
  for (const { path, mandatory, nullable } of known.values()) {
    if (mandatory && !nullable && !(path in fields))
      yield { path: '/fields', message: `has no ${path}, which every record of this kind must have` };
  }
  for (const [name, source] of Object.entries(fields)) {
    const path = `/fields/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    if (name.split('.').includes('')) yield { path, message: 'must be names with dots between them' };
    if (name.split('.').includes('__proto__')) yield { path, message: 'cannot be a name of a field' };
    const within = Object.keys(fields).find((other) => other.startsWith(`${name}.`));
    if (within) yield { path, message: `is an object, because the mapping also has ${within}` };
    const type = known.get(name)?.type;
    for (const [member, wanted] of Object.entries(ONLY_FOR)) {
      if (member in source && type !== undefined && type !== wanted)
        yield { path, message: `has ${member}, which is for a ${wanted}; the field is a ${type}` };
    }
    if ('hash' in source && type !== 'record id' && type !== 'integer' && type !== undefined)
      yield { path, message: 'has hash, which makes an id' };
    if ('sum' in source) {
      for (const part of source.sum.filter((each) => typeof each === 'string')) {
        const target = fields[part];
        if (!target || ('sum' in target && target.sum.some((each) => typeof each === 'string')))
          yield {
            path,
            message: `sums ${part}, which is not a field of this mapping with a source of its own`,
          };
      }
    }
    if ('zone' in source && source.zone !== undefined && !isZone(source.zone))
      yield { path, message: `has the zone ${source.zone}, which is none of the IANA database` };
  }
  if (csv?.delimiter !== undefined && /["\r\n]/.test(csv.delimiter))
    yield { path: '/csv/delimiter', message: 'cannot be a quote or the end of a line' };
  const twice = csv?.columns?.find((name, at, all) => all.indexOf(name) < at);
  if (twice !== undefined) yield { path: '/csv/columns', message: `names ${twice} twice` };
  if (csv && format !== 'csv') yield { path: '/csv', message: 'is only for the format csv' };
  if (records && format === 'csv') yield { path: '/records', message: 'is only for the format json' };
  if (!cumulative) return;
  if (kind !== 'usage') yield { path: '/cumulative', message: 'is only for usage' };
  for (const [at, counter] of cumulative.counters.entries()) {
    const source = fields[counter];
    if (!source || known.get(counter)?.type !== 'decimal' || 'value' in source)
      yield { path: `/cumulative/counters/${at}`, message: `${counter} is not a counter of this mapping` };
  }
}

function isZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}
