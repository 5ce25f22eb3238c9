import assert from 'node:assert/strict';
import type { DestinationType } from '../destinations/contract.ts';
import type { FieldSample } from '../destinations/samples.fixture.ts';
import type { ErrorToken } from '../errors.ts';

/**
 * For tests: the values of each field that a connection type's own schema accepts and refuses. Samples add the cases
 * that no schema can express; each field must have one.
 */
export interface FieldCase {
  readonly what: string;
  /** undefined: the field is left out. */
  readonly value: unknown;
  /** undefined: it is accepted. `path` goes on after the field's own. */
  readonly fault?: { readonly token: ErrorToken; readonly path: string };
}

/** The used keywords of the schema of a field. */
interface Property {
  readonly type?: 'string' | 'integer' | 'boolean' | 'array';
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly items?: Property;
  readonly 'x-secret'?: string;
}

const KEYWORDS = [
  ...['type', 'enum', 'default', 'minimum', 'maximum', 'minLength', 'maxLength', 'maxItems', 'items'],
  ...['x-secret', 'x-generate', 'x-formats', 'title', 'description', 'examples'],
];

/** By type: values of every other type. A choice has no type of its own: any other value is out of range. */
const OTHER_TYPES = {
  string: [5, true, ['text'], { text: 1 }],
  integer: ['many', '1.5', 1.5, '', true, [1], { value: 1 }],
  boolean: ['yes', 'true', 1, 0, '', [true], {}],
  array: ['text', 5, true, { 0: 'text' }],
  enum: [5, true, [], {}, ''],
} as const;

export function propertiesOf({ credentials }: DestinationType): Record<string, Property> {
  return credentials.properties as Record<string, Property>;
}

/** Whether a client must give the field. */
export function isNeeded({ credentials }: DestinationType, field: string): boolean {
  const { required = [], properties } = credentials as { required?: string[]; properties: object };
  return required.includes(field) && (properties as Record<string, Property>)[field]?.default === undefined;
}

/**
 * Every case of a field.
 * @throws AssertionError for a schema or a sample that leaves something uncovered
 */
export function casesOf(type: DestinationType, field: string, sample: FieldSample | undefined): FieldCase[] {
  const property = propertiesOf(type)[field] as Property;
  assert.ok(sample, `${type.connectionType}.${field} has no sample`);
  checkCovered(`${type.connectionType}.${field}`, property, sample);
  const absent = isNeeded(type, field) ? fault('Required') : undefined;
  return [
    newCase('missing', undefined, absent),
    newCase('null', null, absent),
    newCase('valid', sample.valid),
    ...(sample.more ?? []).map((value) => newCase('at a limit', value)),
    ...valueCases(property, sample.valid),
    ...malformedCases(property, sample),
  ];
}

/** The cases that follow from the schema alone. */
function valueCases(property: Property, valid: unknown): FieldCase[] {
  if (property.enum) return choiceCases(property.enum);
  const type = property.type as NonNullable<Property['type']>;
  const others = OTHER_TYPES[type].map((value) => newCase('of another type', value, fault('InvalidFormat')));
  if (type === 'string') return [...others, ...textCases(property)];
  if (type === 'integer') return [...others, ...numberCases(property)];
  if (type === 'array') return [...others, ...listCases(property, valid as readonly unknown[])];
  return [...others, newCase('true', true), newCase('false', false)];
}

function choiceCases(choices: readonly unknown[]): FieldCase[] {
  const wrong = [...OTHER_TYPES.enum, 'no such choice', ` ${choices[0]}`];
  return [
    ...choices.map((choice) => newCase('a choice', choice)),
    ...wrong.map((value) => newCase('not among the choices', value, fault('OutOfRange'))),
  ];
}

function textCases({ minLength = 0, maxLength = 0 }: Property): FieldCase[] {
  return [
    newCase('too short', 'x'.repeat(minLength - 1), fault('OutOfRange')),
    newCase('too long', 'x'.repeat(maxLength + 1), fault('OutOfRange')),
  ];
}

function numberCases({ minimum = 0, maximum = 0 }: Property): FieldCase[] {
  const inside = [minimum, maximum, String(minimum), String(maximum)];
  const outside = [minimum - 1, maximum + 1, String(maximum + 1), -minimum, 0, 1e15].filter(
    (value) => Number(value) < minimum || Number(value) > maximum,
  );
  return [
    ...inside.map((value) => newCase('at a limit', value)),
    ...outside.map((value) => newCase('outside the limits', value, fault('OutOfRange'))),
  ];
}

function listCases({ items = {}, maxItems = 0 }: Property, valid: readonly unknown[]): FieldCase[] {
  const list = (length: number) => Array.from({ length }, (_, index) => valid[index % valid.length]);
  const ofItems = valueCases(items, valid[0])
    .filter((each) => each.fault)
    .map(({ what, value, fault: { token } = fault('InvalidFormat') }) =>
      newCase(`an item ${what}`, [valid[0], value], fault(token, '/1')),
    );
  return [
    newCase('empty', []),
    newCase('as many as there may be', list(maxItems)),
    newCase('too many', list(maxItems + 1), fault('OutOfRange')),
    newCase('an item that is null', [null], fault(items.enum ? 'OutOfRange' : 'InvalidFormat', '/0')),
    ...ofItems,
  ];
}

function malformedCases({ type }: Property, { malformed = [] }: FieldSample): FieldCase[] {
  return malformed.map((value) =>
    type === 'array'
      ? newCase('malformed', [value], fault('InvalidFormat', '/0'))
      : newCase('malformed', value, fault('InvalidFormat')),
  );
}

/** A schema must say the limits of each field, in keywords that cases are made of; a sample what a schema cannot. */
function checkCovered(name: string, property: Property, sample: FieldSample): void {
  for (const keyword of Object.keys(property)) {
    assert.ok(KEYWORDS.includes(keyword), `${name}: no case is made of the keyword ${keyword}`);
  }
  assert.notDeepEqual(sample.valid, property.default, `${name}: the sample is the default`);
  assert.equal(sample.masked === undefined, !property['x-secret'], `${name}: a secret has a mask`);
  const texts = property.type === 'array' ? property.items : property;
  if (property.enum || (property.type === 'array' && property.items?.enum)) return;
  if (texts?.type === 'string') {
    const { minLength = 0, maxLength = 0 } = texts;
    assert.ok(minLength > 0 && maxLength > 0, `${name} has no limits of length`);
    assert.ok(sample.malformed, `${name}: which text is of no use?`);
    const longest = [...(sample.more ?? [])].flat().some((text) => String(text).length === maxLength);
    assert.ok(longest, `${name}: no sample has ${maxLength} characters`);
  }
  if (property.type === 'array') assert.ok(property.maxItems, `${name} has no limit of items`);
  if (property.type === 'integer') {
    assert.ok(property.minimum !== undefined && property.maximum !== undefined, `${name} has no limits`);
  }
}

function fault(token: ErrorToken, path = '') {
  return { token, path };
}

function newCase(what: string, value: unknown, refused?: FieldCase['fault']): FieldCase {
  return { what, value, ...(refused ? { fault: refused } : {}) };
}
