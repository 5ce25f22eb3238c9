import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { fc } from '../lib/property.fixture.ts';
import { RECORD_EXAMPLES } from '../records/examples.ts';
import type { RecordPrivacy } from '../registry/data-stream.ts';
import { FieldHash } from './field-hash.ts';
import { RecordRewriter } from './rewrite.ts';

const KEY = Buffer.alloc(32, 7);
const hashed = (text: string) => createHmac('sha256', KEY).update(text).digest('hex');

function rewritten(text: string, { drop = [], hash = [] }: Partial<RecordPrivacy>): string {
  const rewriter = new RecordRewriter({ drop, hash }, new FieldHash(KEY));
  // Records lie in a payload: nothing before or behind them may be touched.
  const bytes = Buffer.from(`{"secret":1},${text},{"secret":2}`);
  rewriter.append(bytes, 13, bytes.length - 13);
  return rewriter.take().toString();
}

test('fields go, and everything else stays byte by byte', () => {
  const cases: readonly (readonly [string, Partial<RecordPrivacy>, string])[] = [
    ['{"a":1,"b":2,"c":3}', { drop: ['a'] }, '{"b":2,"c":3}'],
    ['{"a":1,"b":2,"c":3}', { drop: ['b'] }, '{"a":1,"c":3}'],
    ['{"a":1,"b":2,"c":3}', { drop: ['c'] }, '{"a":1,"b":2}'],
    ['{"a":1,"b":2,"c":3}', { drop: ['a', 'b'] }, '{"c":3}'],
    ['{"a":1,"b":2,"c":3}', { drop: ['a', 'c'] }, '{"b":2}'],
    ['{"a":1,"b":2,"c":3}', { drop: ['b', 'c'] }, '{"a":1}'],
    ['{"a":1,"b":2}', { drop: ['a', 'b'] }, '{}'],
    ['{ "a" : [1, {"b":"}"}] , "c" : 1.50 }', { drop: ['a'] }, '{"c" : 1.50 }'],
    ['{ "a" : 1 , "c" : 1.50 }', { drop: ['c'] }, '{ "a" : 1 }'.replace(' }', '}').replace('1}', '1 }')],
    ['{"s":{"i":1,"m":2},"t":3}', { drop: ['s.i'] }, '{"s":{"m":2},"t":3}'],
    ['{"s":{"i":1},"t":3}', { drop: ['s.i'] }, '{"s":{},"t":3}'],
    ['{"s":5,"t":"s.i"}', { drop: ['s.i', 'x.y'] }, '{"s":5,"t":"s.i"}'],
    ['{"m":[{"n":1,"k":2},[{"n":3}],4]}', { drop: ['m.n'] }, '{"m":[{"k":2},[{}],4]}'],
    // P1: all occurrences go, in whatever spelling (P2).
    ['{"a":1,"b":2,"a":3,"\\u0061":4,"c":5}', { drop: ['a'] }, '{"b":2,"c":5}'],
    ['{"s":{"i":1},"s":{"i":2,"k":3}}', { drop: ['s.i'] }, '{"s":{},"s":{"k":3}}'],
    ['{"Gerät \\"1\\"":1,"b":2}', { drop: ['Gerät "1"'] }, '{"b":2}'],
  ];
  for (const [text, privacy, expected] of cases) assert.equal(rewritten(text, privacy), expected, text);
});

test('a hash is of the value without its spelling, and of an object of each value in it', () => {
  const digits = hashed('901430100004410');
  assert.equal(rewritten('{"i":"901430100004410"}', { hash: ['i'] }), `{"i":"${digits}"}`);
  assert.equal(rewritten('{"i": 901430100004410 }', { hash: ['i'] }), `{"i": "${digits}" }`);
  assert.equal(rewritten('{"i":"\\u00e9"}', { hash: ['i'] }), `{"i":"${hashed('é')}"}`);
  assert.equal(rewritten('{"i":"é","i":null}', { hash: ['i'] }), `{"i":"${hashed('é')}","i":null}`);
  const inner = `{"s":{"a":["${hashed('1')}",null,{"b":"${hashed('true')}"}],"d":"${hashed('')}"}}`;
  assert.equal(
    rewritten('{"s":{"a":[1,null,{"b":true}],"c":7,"d":""}}', { drop: ['s.c'], hash: ['s'] }),
    inner,
  );
});

test('the hash of any value is HMAC-SHA-256, whatever was hashed before', () => {
  const field = new FieldHash(KEY);
  const longest = fc.string({ unit: 'binary', maxLength: 400 });
  fc.assert(
    fc.property(longest, (text) => {
      const bytes = Buffer.from(` ${JSON.stringify(text)},`);
      const value = JSON.parse(bytes.toString('utf8', 1, bytes.length - 1)) as string;
      assert.equal(field.of(bytes, 1, bytes.length - 1), hashed(value));
      assert.equal(field.ofText(text), hashed(text));
    }),
  );
});

test('values of examples are gone, and nothing else', () => {
  const text = rewritten(RECORD_EXAMPLES.usage, {
    drop: ['sim.msisdn', 'endpoint.imei'],
    hash: ['imsi', 'tariff'],
  });
  const { sim, endpoint, imsi, tariff, ...rest } = JSON.parse(text);
  const original = JSON.parse(RECORD_EXAMPLES.usage);
  assert.deepEqual({ ...original, ...rest }, original);
  const { msisdn: _, ...others } = original.sim;
  assert.deepEqual(sim, others);
  assert.equal('imei' in endpoint, false);
  assert.equal(imsi, hashed(original.imsi));
  assert.deepEqual(tariff.ratezone, { id: hashed('2601'), name: hashed('Zone 1') });
});

// A tree of members, so that a name may come twice; it is written in any spelling.
type Tree =
  | { readonly members: readonly (readonly [string, Tree])[] }
  | { readonly items: readonly Tree[] }
  | Leaf;
interface Leaf {
  readonly value: string | number | null;
}

const NAMES = ['a', 'b', 'é', '"', 'sim'];
const names = fc.constantFrom(...NAMES);
const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.record({ value: fc.oneof(fc.string({ unit: 'grapheme' }), fc.integer(), fc.constant(null)) }),
    fc.record({ members: fc.array(fc.tuple(names, tie('tree')), { maxLength: 5 }) }),
    fc.record({ items: fc.array(tie('tree'), { maxLength: 3 }) }),
  ),
}));
const record = fc.record({ members: fc.array(fc.tuple(names, tree), { maxLength: 6 }) });
const paths = fc.uniqueArray(
  fc.array(names, { minLength: 1, maxLength: 3 }).map((path) => path.join('.')),
  {
    maxLength: 4,
  },
);

function written(value: Tree, spelling: () => number): string {
  const space = () => ' \n'.slice(0, spelling() % 3);
  const text = (plain: string) =>
    spelling() % 3 > 0
      ? JSON.stringify(plain)
      : `"${[...Array(plain.length).keys()].map((at) => `\\u${plain.charCodeAt(at).toString(16).padStart(4, '0')}`).join('')}"`;
  const list = (parts: readonly string[]) => parts.join(`${space()},${space()}`);
  if ('members' in value) {
    const members = value.members.map(
      ([name, inner]) => `${text(name)}${space()}:${space()}${written(inner, spelling)}`,
    );
    return `{${space()}${list(members)}${space()}}`;
  }
  if ('items' in value)
    return `[${space()}${list(value.items.map((item) => written(item, spelling)))}${space()}]`;
  return typeof value.value === 'string' ? text(value.value) : JSON.stringify(value.value);
}

/** What is left of a tree: read straight off the meaning of paths. */
function left(value: Tree, path: readonly string[], { drop, hash }: RecordPrivacy, inHashed: boolean): Tree {
  const all = inHashed || hash.includes(path.join('.'));
  if ('items' in value) return { items: value.items.map((item) => left(item, path, { drop, hash }, all)) };
  if ('members' in value) {
    const members = value.members.filter(([name]) => !drop.includes([...path, name].join('.')));
    return {
      members: members.map(([name, inner]) => [name, left(inner, [...path, name], { drop, hash }, all)]),
    };
  }
  return all && value.value !== null ? { value: hashed(String(value.value)) } : value;
}

test('any record in any spelling is what is left of it', () => {
  fc.assert(
    fc.property(
      record,
      paths,
      paths,
      fc.array(fc.nat(8), { minLength: 7, maxLength: 7 }),
      (tree, drop, hash, spell) => {
        let at = 0;
        const text = written(tree, () => spell[at++ % spell.length] as number);
        const result = rewritten(text, { drop, hash });
        // Every occurrence of a name is compared: names that are repeated get numbers.
        assert.deepEqual(
          membersOf(result),
          membersOf(written(left(tree, [], { drop, hash }, false), () => 1)),
        );
      },
    ),
    { numRuns: 300 },
  );
});

/** `JSON.parse` of a text whose repeated names stay apart, by their place among the members. */
function membersOf(text: string): unknown {
  let count = 0;
  const apart = text.replace(/"(?:[^"\\]|\\.)*"(?=\s*:)/g, (name) => `${name.slice(0, -1)}#${count++}"`);
  return JSON.parse(apart);
}
