import type { Random } from '../../src/lib/clock.ts';

/** What is read of a schema of the document. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly examples?: readonly unknown[];
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
}

/** Draws values: most of them as the schema wants them, some as nobody wants them. */
export class Values {
  readonly #random: Random;
  readonly #resolve: (ref: string) => Schema;

  constructor(random: Random, resolve: (ref: string) => Schema) {
    this.#random = random;
    this.#resolve = resolve;
  }

  below(count: number): number {
    return Math.floor(this.#random.next() * count);
  }

  chance(probability: number): boolean {
    return this.#random.next() < probability;
  }

  one<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  /** @param wild how often a value is replaced by one that the schema does not foresee */
  of(schema: Schema, wild: number, depth = 0): unknown {
    if (this.chance(wild)) return this.hostile();
    if (schema.$ref) return this.of(this.#resolve(schema.$ref), wild, depth);
    if (schema.const !== undefined) return schema.const;
    if (schema.enum) return this.one(schema.enum);
    if (schema.anyOf) return this.of(this.one(schema.anyOf), wild, depth);
    if (schema.examples && this.chance(0.5)) return this.one(schema.examples);
    const type = typeof schema.type === 'string' || !schema.type ? schema.type : this.one(schema.type);
    if (type === 'object' || schema.properties) return this.#object(schema, wild, depth);
    if (type === 'array') {
      const length = depth > 4 ? 0 : this.below(4);
      return Array.from({ length }, () => this.of(schema.items ?? {}, wild, depth + 1));
    }
    if (type === 'integer' || type === 'number') return this.#number(schema);
    if (type === 'boolean') return this.chance(0.5);
    if (type === 'null') return null;
    if (type === 'string') return this.#text(schema);
    return this.hostile();
  }

  #object({ properties = {}, required = [] }: Schema, wild: number, depth: number): unknown {
    const value: Record<string, unknown> = {};
    for (const [name, property] of Object.entries(properties)) {
      const wanted = required.includes(name) ? !this.chance(wild / 2) : this.chance(depth > 4 ? 0.1 : 0.5);
      if (wanted) value[name] = this.of(property, wild, depth + 1);
    }
    if (this.chance(wild)) value[this.one(ODD_NAMES)] = this.hostile();
    return value;
  }

  #number({ minimum = 0, maximum = 10 }: Schema): number {
    const edges = [minimum, maximum, minimum - 1, maximum + 1, minimum + 0.5];
    return this.chance(0.2) ? this.one(edges) : minimum + this.below(Math.min(1000, maximum - minimum + 1));
  }

  #text({ maxLength, examples = [] }: Schema): string {
    const edges = maxLength === undefined ? [] : ['m'.repeat(maxLength), 'm'.repeat(maxLength + 1)];
    return String(this.one([...TEXTS, ...examples, ...edges]));
  }

  hostile(): unknown {
    return this.one(HOSTILE);
  }

  hostileText(): string {
    return this.one(HOSTILE_TEXTS);
  }
}

const TEXTS = ['a', 'name', 'https://example.com/in', '2026-01-01T00:00:00Z', 'earliest', '1', '0', 'true'];
const ODD_NAMES = [
  '__proto__',
  'constructor',
  'toString',
  '',
  'a.b',
  '$where',
  'id',
  'organisation_id',
  '\u0000',
];
const HOSTILE_TEXTS = [
  ...['', ' ', '.', '..', '../..', '%00', '%2e%2e', '%', '%E0%A4%A', '*', '>', 'a.b', 'x'.repeat(5_000)],
  ...['0', '-1', '1e3', '9007199254740993', '1'.repeat(400), 'NaN', 'null', 'undefined', '[object Object]'],
  ...['\u0000', '\u202e', '\ud800', '😀', 'ﬀ', 'İ', '\r\nX: y', "' OR 1=1 --", '<script>', '{{7*7}}'],
  ...['__proto__', 'constructor', 'hasOwnProperty', '00000000', 'ffffffff', '99999999', '2026-02-30', '***'],
];
const HOSTILE: readonly unknown[] = [
  ...HOSTILE_TEXTS,
  ...[null, true, false, 0, -0, -1, 1.5, 1e308, 2 ** 53, -(2 ** 53), 2 ** 31, 1e-320],
  ...[[], {}, [[]], [null], [{}], { id: 1 }, { id: '2' }, { id: null }, [[[[[[[[]]]]]]]]],
  ...[JSON.parse('{"__proto__":{"x":1}}'), { length: 1e9 }, { toString: 1 }],
  Array.from({ length: 300 }, (_, at) => at),
  { or: [{ or: [{ or: [] }] }], all: { all: [] }, not: [] },
];
