import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { before, describe, test } from 'node:test';
import { brotliDecompressSync, gzipSync } from 'node:zlib';
import Fastify from 'fastify';
import { buildPortal } from '../../scripts/build-portal.ts';
import { systemRandom } from '../../src/lib/system-clock.ts';
import { PORTAL_DIRECTORY, portalFiles } from '../../src/node/portal-files.ts';

/** Kilobytes of JavaScript, compressed, before the first view shows. */
const FIRST_LOAD = 250_000;
/** The same for somebody who opens every view; each view is loaded when it is opened first. */
const ALL_VIEWS = 285_000;

describe('the built portal', () => {
  before(buildPortal);

  test(`its first load is under ${FIRST_LOAD / 1000} KB of JavaScript`, () => {
    const scripts = readdirSync(`${PORTAL_DIRECTORY}/assets`).filter((name) => name.endsWith('.js'));
    const page = readFileSync(`${PORTAL_DIRECTORY}/index.html`, 'utf8');
    const first = scripts.filter((name) => page.includes(name));
    assert.ok(first.length > 0 && first.length < scripts.length, 'views are loaded when they are needed');
    const size = (names: readonly string[]) =>
      names.reduce(
        (sum, name) => sum + gzipSync(readFileSync(`${PORTAL_DIRECTORY}/assets/${name}`)).length,
        0,
      );
    assert.ok(size(first) < FIRST_LOAD, `${size(first)} bytes`);
    assert.ok(size(scripts) < ALL_VIEWS, `all views together: ${size(scripts)} bytes`);
  });

  test('no script stands in the page, and nothing comes from elsewhere', () => {
    const page = readFileSync(`${PORTAL_DIRECTORY}/index.html`, 'utf8');
    assert.doesNotMatch(page, /<script(?![^>]*\bsrc="\/)/);
    assert.doesNotMatch(page, /(src|href)="(?!\/)/);
  });

  test('pages come anew, with a strict policy; files stay for good', async (t) => {
    const app = Fastify();
    t.after(() => app.close());
    await app.register(portalFiles({ random: systemRandom }));
    const pages = await Promise.all(
      [
        '/',
        '/data-streams',
        '/data-streams/new?type=S3',
        '/data-streams/5f3a9c1e',
        '/records',
        '/api-access',
        '/account',
        '/users',
        '/notifications',
      ].map((url) => app.inject({ url })),
    );
    const policies = new Set<string>();
    for (const { statusCode, headers, body } of pages) {
      assert.equal(statusCode, 200);
      assert.equal(headers['cache-control'], 'no-store');
      const policy = String(headers['content-security-policy']);
      assert.match(policy, /default-src 'none'; script-src 'self'; style-src 'self' 'nonce-[\w-]{22}';/);
      assert.doesNotMatch(policy, /unsafe/);
      assert.ok(body.includes(/nonce-([\w-]+)/.exec(policy)?.[1] ?? '?'));
      policies.add(policy);
    }
    assert.equal(policies.size, pages.length, 'a nonce is used once');

    const script = /src="(\/assets\/[^"]+\.js)"/.exec(pages[0]?.body ?? '')?.[1] as string;
    const plain = await app.inject({ url: script });
    assert.equal(plain.headers['content-type'], 'text/javascript; charset=utf-8');
    assert.match(String(plain.headers['cache-control']), /immutable/);
    const packed = await app.inject({ url: script, headers: { 'accept-encoding': 'gzip, deflate, br' } });
    assert.equal(packed.headers['content-encoding'], 'br');
    assert.deepEqual(brotliDecompressSync(packed.rawPayload), plain.rawPayload);
    const kept = await app.inject({ url: script, headers: { 'if-none-match': String(plain.headers.etag) } });
    assert.equal(kept.statusCode, 304);
    assert.equal((await app.inject({ url: '/assets/none.js' })).statusCode, 404);
    assert.equal((await app.inject({ url: '/assets/../index.html' })).statusCode, 404);
  });
});
