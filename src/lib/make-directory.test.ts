import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { DirectoryFault, makeDirectory, modeForOthers } from './make-directory.ts';

describe('a directory that is needed', () => {
  const root = () => mkdtempSync(join(tmpdir(), 'simstream-directory-'));
  const fault = (path: string, says: RegExp) =>
    assert.throws(
      () => makeDirectory(path),
      (error) => {
        assert.ok(error instanceof DirectoryFault);
        assert.match(error.message, says);
        return true;
      },
    );

  test('is made with those above it, for its owner alone, and may be there already', (t) => {
    const base = root();
    t.after(() => rmSync(base, { recursive: true }));
    const path = join(base, 'a', 'b', 'c');
    makeDirectory(path);
    makeDirectory(path);
    assert.equal(statSync(path).mode & 0o777, 0o700);
  });

  test('is refused where a file is in its place, or in its way', (t) => {
    const base = root();
    t.after(() => rmSync(base, { recursive: true }));
    const file = join(base, 'file');
    writeFileSync(file, '');
    fault(file, /file is not a directory/);
    fault(join(file, 'below', 'it'), /file is not a directory/);
  });

  test('is refused where a link leads nowhere', (t) => {
    const base = root();
    t.after(() => rmSync(base, { recursive: true }));
    const link = join(base, 'link');
    symlinkSync(join(base, 'nowhere'), link);
    fault(link, /link is a symbolic link to something that does not exist/);
    fault(join(link, 'below'), /link is a symbolic link to something that does not exist/);
  });

  test('is refused where links lead in a circle, or the path is too long', (t) => {
    const base = root();
    t.after(() => rmSync(base, { recursive: true }));
    symlinkSync(join(base, 'two'), join(base, 'one'));
    symlinkSync(join(base, 'one'), join(base, 'two'));
    fault(join(base, 'one', 'data'), /circle/);
    fault(join(base, 'x'.repeat(300)), /too long/);
  });

  test('is refused by a file system that takes none, at once', { skip: !existsSync('/proc/self') }, () => {
    fault('/proc/x', /\/proc does not support directories/);
    fault('/proc/x/y/z', /\/proc does not support directories/);
    fault('/proc/self/x', /proc/);
  });

  test('is refused where this user may not write', { skip: process.getuid?.() === 0 }, () => {
    fault('/usr/simstream-test', /may not write to \/usr/);
  });
});

test('a directory that others may enter is noticed', { skip: process.platform === 'win32' }, (t) => {
  const base = mkdtempSync(join(tmpdir(), 'simstream-test-'));
  t.after(() => rmSync(base, { recursive: true }));
  const own = join(base, 'own');
  makeDirectory(own);
  assert.equal(modeForOthers(own), undefined);
  for (const [mode, shown] of [
    [0o755, '755'],
    [0o701, '701'],
    // Its group was given access on purpose: a volume of a cluster is made so.
    [0o770, undefined],
  ] as const) {
    chmodSync(own, mode);
    assert.equal(modeForOthers(own), shown);
  }
});
