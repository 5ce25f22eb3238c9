import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { destinationTypes } from './all.ts';
import { fieldTable } from './field-table.ts';
import { fileNameOf } from './folders.fixture.ts';

const guides = fileURLToPath(new URL('../../docs/destinations/', import.meta.url));

const fileOf = (connectionType: string) => `${fileNameOf({ connectionType })}.md`;

describe('the guides of the connection types', () => {
  for (const type of destinationTypes.values()) {
    const path = `${guides}${fileOf(type.connectionType)}`;
    test(`${fileOf(type.connectionType)} shows the fields that the schema has`, () => {
      assert.ok(existsSync(path), `docs/destinations/${fileOf(type.connectionType)} is missing`);
      const guide = readFileSync(path, 'utf8');
      assert.ok(guide.includes(fieldTable(type)), `replace its table of fields by:\n\n${fieldTable(type)}\n`);
    });
  }

  test('there is no guide of a type that does not exist', () => {
    const known = new Set([...destinationTypes.keys()].map(fileOf));
    assert.deepEqual(
      readdirSync(guides).filter((name) => name.endsWith('.md') && !known.has(name)),
      [],
    );
  });
});
