import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadMapping } from './load.ts';

test('numbers of a mapping and of its lookups are exact, and a byte order mark does no harm', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'mapping-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const largest = '9223372036854775807';
  writeFileSync(join(directory, 'sims.json'), `\ufeff{"a": ${largest}}`);
  writeFileSync(join(directory, 'sims.csv'), `\ufeffa,${largest}\n`);
  const file = join(directory, 'own.mapping.json');
  const field = (name: string, source: string) => `"${name}": ${source}`;
  const fields = [
    field('id', '{"from": "id"}'),
    field('timestamp', '{"value": "2026-11-27T08:00:00Z"}'),
    field('event_type.id', '{"value": 1}'),
    field('organisation.id', '{"value": 7}'),
    field('sim.id', `{"value": ${largest}}`),
    field('imsi.id', `{"from": "none", "default": ${largest}}`),
    field('a', `{"from": "key", "lookup": {"a": ${largest}}}`),
    field('b', '{"from": "key", "lookup": "sims.json"}'),
    field('c', '{"from": "key", "lookup": "sims.csv"}'),
  ];
  writeFileSync(file, `\ufeff{"kind": "events", "format": "json", "fields": {${fields.join()}}}`);
  const loaded = loadMapping(file);
  assert.ok(loaded.type === 'loaded', JSON.stringify(loaded));
  const made = loaded.mapping.map({ id: 1, key: 'a' });
  assert.ok(made.type === 'record', JSON.stringify(made));
  const text = `"sim":{"id":${largest}},"imsi":{"id":${largest}},"a":${largest},"b":${largest},"c":${largest}`;
  assert.ok(made.text.includes(text), made.text);
});
