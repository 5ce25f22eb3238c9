import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { APPLICATION_TOKEN } from '../src/auth/application-tokens.ts';
import { LOGIN_FAILURES } from '../src/auth/lockout.ts';
import { MEMBER, USER } from '../src/auth/users.ts';
import { QUARANTINE } from '../src/delivery/quarantine/document.ts';
import { ACTIVITY } from '../src/delivery/watching/activity.ts';
import { START_EPOCH, START_EPOCH_KEY } from '../src/leases/start-epoch.ts';
import { LEASE, NODE } from '../src/leases/view.ts';
import { INSTALLATION } from '../src/migrate/source.ts';
import { MIGRATION, PARTITION } from '../src/migrate/target.ts';
import { HISTORY, PROGRESS, STREAM, WATERMARK } from '../src/registry/data-stream.ts';
import type { DocumentKind } from '../src/registry/documents.ts';
import { createMemoryRegistry } from '../src/registry/memory.ts';
import { ORGANISATION } from '../src/registry/organisation.ts';
import type { Json } from '../src/registry/registry.ts';

/** What version 0.1 wrote, with documents of each kind: every later version must read it. The README beside says how they were made. */
const FILE = new URL('fixtures/documents-f7746fc/documents.ndjson', import.meta.url);
const WRITTEN = readFileSync(FILE, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as { key: string; value: Json });

const KINDS: readonly DocumentKind<object>[] = [
  ...[STREAM, PROGRESS, HISTORY, WATERMARK, ORGANISATION, USER, MEMBER, APPLICATION_TOKEN, LOGIN_FAILURES],
  ...[QUARANTINE, ACTIVITY, NODE, LEASE, START_EPOCH, INSTALLATION, MIGRATION, PARTITION],
] as readonly DocumentKind<object>[];

function kindOf(key: string): DocumentKind<object> {
  if (key === START_EPOCH_KEY) return START_EPOCH as DocumentKind<object>;
  const fitting = KINDS.filter(({ prefix }) => key === prefix || key.startsWith(`${prefix}.`));
  const [longest] = fitting.sort((a, b) => b.prefix.length - a.prefix.length);
  return longest ?? assert.fail(`no kind of document has the key ${key}`);
}

test('every kind of document is kept as version 0.1 writes it', () => {
  const kept = new Set(WRITTEN.map(({ key }) => kindOf(key).prefix));
  assert.deepEqual(
    KINDS.filter(({ prefix }) => !kept.has(prefix)).map(({ prefix }) => prefix),
    [],
  );
});

test('documents of version 0.1 are read with every field, and written back without a loss', async () => {
  const registry = createMemoryRegistry();
  for (const { key, value } of WRITTEN) await registry.put(key, value);
  for (const { key, value } of WRITTEN) {
    const kind = kindOf(key);
    const stored = (await kind.get(registry, key)) ?? assert.fail(key);
    for (const [field, kept] of Object.entries(value as object))
      assert.deepEqual((stored.document as Record<string, unknown>)[field], kept, `${key}: ${field}`);
    assert.equal((await kind.put(registry, key, stored.document, stored.revision)).type, 'stored');
    assert.deepEqual((await registry.get(key))?.value, kind.encode(stored.document), key);
  }
  const streams = await Array.fromAsync(STREAM.list(registry, 7));
  assert.deepEqual(
    new Set(streams.map(({ document }) => document.connectionType)),
    new Set(['AwsKinesis', 'Datadog', 'EventHubs', 'KeenIO', 'PubSub', 'RestAPI', 'S3']),
  );
  const [quarantined] = await Array.fromAsync(QUARANTINE.list(registry, 7));
  assert.ok(quarantined && 'record' in quarantined.document, 'a record has a document of its own');
});

test('what is no document at all is an error that names the kind', () => {
  for (const value of [null, 'text', 7, true])
    assert.throws(() => STREAM.parse(value), /document of the kind stream is /);
});
