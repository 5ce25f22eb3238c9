import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
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
      const updated = guide.replace(/^\| field \| needed \|.*(?:\n\|.*)*/m, () => fieldTable(type));
      if (process.env.UPDATE_DOCS) writeFileSync(path, updated);
      else assert.equal(guide, updated, 'run UPDATE_DOCS=1 npm run test:unit');
      assert.ok(updated.includes(fieldTable(type)), 'the guide has no table of fields');
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
