import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import Fastify from 'fastify';
import { systemRandom } from '../lib/system-clock.ts';
import { portalFiles } from './portal-files.ts';
import { keepPortalVersions } from './portal-versions.ts';

const DAY = 86_400_000;

test('files of earlier versions stay reachable for a week after their last start, the newest five', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'simstream-portal-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const built = join(root, 'built');
  const dataDir = join(root, 'data');
  let now = Date.parse('2026-01-01T00:00:00Z');
  mkdirSync(dataDir);
  const start = (version: number) => {
    rmSync(built, { recursive: true, force: true });
    mkdirSync(join(built, 'assets'), { recursive: true });
    writeFileSync(join(built, 'index.html'), `page ${version}`);
    writeFileSync(join(built, 'assets', `index-${version}.js`), `// ${version}`);
    writeFileSync(join(built, 'sources.sha256'), String(version).padStart(64, '0'));
    return keepPortalVersions({ built, dataDir }, { now: () => now });
  };
  const reachable = async (earlier: readonly string[], versions: readonly number[]) => {
    const app = Fastify();
    await app.register(portalFiles({ random: systemRandom, directory: built, earlier }));
    const answers = await Promise.all(versions.map((version) => app.inject(`/assets/index-${version}.js`)));
    await app.close();
    return versions.filter((_, place) => answers[place]?.statusCode === 200);
  };

  assert.deepEqual(start(1), []);
  now += DAY;
  assert.deepEqual(await reachable(start(2), [1, 2, 3]), [1, 2]);
  now += 6.5 * DAY;
  assert.deepEqual(await reachable(start(2), [1, 2]), [2], 'the first version is older than a week');
  for (const version of [3, 4, 5, 6, 7, 8]) {
    now += 1000;
    start(version);
  }
  assert.deepEqual(await reachable(start(8), [2, 3, 4, 5, 6, 7, 8]), [3, 4, 5, 6, 7, 8]);
  const none = join(built, 'index.html');
  assert.deepEqual(keepPortalVersions({ built, dataDir: none }, { now: () => now }), []);
});
