import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { anyCharacter } from '../lib/any-character.fixture.ts';
import { seededRandom } from '../lib/manual-clock.fixture.ts';
import { fc } from '../lib/property.fixture.ts';
import type { Json } from '../registry/registry.ts';
import { createSealer } from './seal.ts';
import { secretOf } from './secret.ts';

const random = seededRandom(1);
const oldSecret = secretOf(Buffer.alloc(32, 1));
const newSecret = secretOf(Buffer.alloc(32, 2));
const sealer = createSealer({ current: newSecret }, random);
const json = fc
  .jsonValue({ stringUnit: anyCharacter })
  .map((value) => JSON.parse(JSON.stringify(value)) as Json);
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.';

describe('sealer', () => {
  test('opens what it sealed, in the same context', () => {
    fc.assert(
      fc.property(json, fc.string(), (value, context) => {
        assert.deepEqual(sealer.open(sealer.seal(value, context), context), { type: 'opened', value });
      }),
    );
  });

  test('opens nothing in another context', () => {
    fc.assert(
      fc.property(json, fc.string(), fc.string(), (value, context, other) => {
        fc.pre(context !== other);
        assert.equal(sealer.open(sealer.seal(value, context), other).type, 'fault');
      }),
    );
  });

  test('opens nothing of which one character was changed, cut off or added', () => {
    const sealed = sealer.seal({ url: 'https://example.org', token: 'tell-nobody' }, 'stream.1.a');
    fc.assert(
      fc.property(fc.nat(sealed.length - 1), fc.constantFrom(...alphabet), (at, character) => {
        fc.pre(sealed[at] !== character);
        const outcomes = [
          sealed.slice(0, at) + character + sealed.slice(at + 1),
          sealed.slice(0, at),
          sealed.slice(0, at) + character + sealed.slice(at),
        ].map((text) => sealer.open(text, 'stream.1.a'));
        for (const outcome of outcomes) {
          assert.ok(outcome.type === 'fault' && !outcome.message.includes('tell-nobody'));
        }
      }),
      { numRuns: 500 },
    );
  });

  test('any text at all is a fault, not a crash', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.base64String().map((text) => `s1.${newSecret.id}.${text}`),
        ),
        (text) => {
          assert.equal(sealer.open(text, 'x').type, 'fault');
        },
      ),
    );
  });

  test('the sealed text shows nothing and is never the same twice', () => {
    const one = sealer.seal('tell-nobody', 'x');
    assert.notEqual(one, sealer.seal('tell-nobody', 'x'));
    assert.ok(!Buffer.from(one.split('.')[2] as string, 'base64url').includes('tell-nobody'));
  });

  test('while rotating, what the previous secret sealed opens, and is known as old', () => {
    const before = createSealer({ current: oldSecret }, random);
    const during = createSealer({ current: newSecret, previous: oldSecret }, random);
    const old = before.seal({ key: 1 }, 'x');
    assert.deepEqual(during.open(old, 'x'), { type: 'opened', value: { key: 1 } });
    assert.equal(during.isCurrent(old), false);
    const again = during.seal({ key: 1 }, 'x');
    assert.equal(during.isCurrent(again), true);
    assert.equal(sealer.open(again, 'x').type, 'opened');
    const late = sealer.open(old, 'x');
    assert.match(late.type === 'fault' ? late.message : '', /SIMSTREAM_SECRET_PREVIOUS/);
  });
});
