import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { describe, test } from 'node:test';
import { anyCharacter } from '../lib/any-character.fixture.ts';
import { ManualClock, seededRandom } from '../lib/manual-clock.fixture.ts';
import { fc } from '../lib/property.fixture.ts';
import { destinationTypes } from './all.ts';
import { configureDestination } from './configure.ts';
import type { DestinationEnvironment } from './contract.ts';
import { createEgress } from './egress.ts';

interface Field {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
}

/** Values that a person might have typed: right ones, right ones with something in them, and any others. */
function valuesOf(field: Field): fc.Arbitrary<unknown> {
  const shown = (field.examples ?? []).map((value) =>
    typeof value === 'string' ? value.replace('…', 'c2VjcmV0') : value,
  );
  const right = [field.default, ...(field.enum ?? []), ...shown].filter((value) => value != null);
  if (right.length === 0) return fc.oneof(fc.string({ unit: anyCharacter }), fc.jsonValue({ maxDepth: 2 }));
  const chosen = fc.constantFrom(...right);
  return fc.oneof(
    { weight: 40, arbitrary: chosen },
    { weight: 4, arbitrary: spoiled(chosen.map((value) => (Array.isArray(value) ? value[0] : value))) },
    { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
  );
}

/** A text with another one in it, or instead of a part of it. */
function spoiled(texts: fc.Arbitrary<unknown>): fc.Arbitrary<string> {
  const piece = fc.oneof(
    fc.string({ unit: anyCharacter, maxLength: 4 }),
    fc.constantFrom(' ', '/', '..', '#', '?', '%', '@', ':', '[', '\\', '\n', '%zz', 'xn--', '\u0000'),
  );
  return fc
    .tuple(texts, piece, fc.nat(120), fc.nat(3))
    .map(([value, text, at, gone]) => `${value}`.slice(0, at) + text + `${value}`.slice(at + gone));
}

describe('whatever is typed into the fields', () => {
  const clock = new ManualClock(0);
  const environment: DestinationEnvironment = {
    organisationId: 1,
    streamId: 'a1b2c3d4',
    clock,
    random: seededRandom(1),
    egress: createEgress({ allow: [] }),
    variables: {},
    scratchDirectory: tmpdir(),
  };

  for (const type of destinationTypes.values()) {
    const fields = Object.entries(type.credentials.properties as Record<string, Field>);
    const credentials = fc.record(
      Object.fromEntries(fields.map(([name, field]) => [name, valuesOf(field)] as const)),
      { requiredKeys: type.credentials.required as string[] },
    );

    test(`of ${type.connectionType} is refused, or can be opened`, async () => {
      let opened = 0;
      const property = fc.asyncProperty(
        credentials,
        fc.constantFrom(...type.formats),
        async (given, format) => {
          const result = configureDestination(type, given, format);
          if (result.type === 'invalid') return assert.ok(result.faults.length > 0);
          opened++;
          const destination = await result.configured.open(environment);
          await destination.close();
        },
      );
      await fc.assert(property, { numRuns: 300 });
      assert.ok(opened > 0, 'not all must be refused');
    });
  }
});
