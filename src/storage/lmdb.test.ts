import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ManualClock } from '../lib/manual-clock.fixture.ts';
import { type Lmdb, openLmdb, StoreFailure, type Table } from './lmdb.ts';

const clock = new ManualClock();
const IN_USE = /in use by another simstream process.*SIMSTREAM_DATA_DIR/;

async function inDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const parent = await mkdtemp(join(tmpdir(), 'simstream-storage-'));
  try {
    await body(join(parent, 'data'));
  } finally {
    await rm(parent, { recursive: true });
  }
}

async function using<T>(directory: string, body: (lmdb: Lmdb) => T | Promise<T>): Promise<T> {
  const lmdb = await openLmdb(directory, { clock });
  try {
    return await body(lmdb);
  } finally {
    await lmdb.close();
  }
}

const bytes = (text: string) => Buffer.from(text);
const put = (table: Table, key: string, value: string) => ({ table, key: bytes(key), value: bytes(value) });

/** Another process that opens the store, stores `pid` and waits to be killed. */
async function startHolder(directory: string) {
  const script = `
    import { openLmdb } from ${JSON.stringify(new URL('./lmdb.ts', import.meta.url).href)};
    import { systemClock } from ${JSON.stringify(new URL('../lib/system-clock.ts', import.meta.url).href)};
    const lmdb = await openLmdb(${JSON.stringify(directory)}, { clock: systemClock });
    const table = lmdb.table('t');
    await lmdb.write([{ table, key: Buffer.from('by'), value: Buffer.from('the holder') }]);
    console.log('holds');
    setInterval(() => {}, 1_000_000);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  await Promise.race([
    once(child.stdout, 'data'),
    exited.then(([code]) => Promise.reject(new Error(`the holder ended with ${code}`))),
  ]);
  return {
    kill: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

describe('the LMDB store', () => {
  test('creates its directory for its owner alone, and keeps what was written', () =>
    inDirectory(async (directory) => {
      const nested = join(directory, 'with', 'more');
      await using(nested, async (lmdb) => {
        const table = lmdb.table('t');
        await lmdb.write([put(table, 'a', '1'), put(table, 'b', '2'), put(table, 'c', '3')]);
        await lmdb.write([{ table, key: bytes('c'), value: undefined }]);
      });
      assert.equal((await stat(nested)).mode & 0o777, 0o700);
      await using(nested, async (lmdb) => {
        const keys = [...lmdb.table('t').getKeys()].map((key) => Buffer.from(key).toString());
        assert.deepEqual(keys, ['a', 'b']);
        const { length } = lmdb.table('t').getBinary(bytes('a')) ?? [];
        assert.equal(length, 1);
        assert.ok((await lmdb.sizeOnDisk()) > 0);
      });
    }));

  test('the store is for its owner alone, also in a directory that others may read', () =>
    inDirectory(async (directory) => {
      await mkdir(directory, { mode: 0o755 });
      const path = join(directory, 'simstream.mdb');
      await using(directory, () => {});
      assert.equal((await stat(path)).mode & 0o777, 0o600);
      await chmod(path, 0o644);
      await using(directory, () => {});
      assert.equal((await stat(path)).mode & 0o777, 0o600);
    }));

  test('a directory in use is refused until it is given free', () =>
    inDirectory(async (directory) => {
      const first = await openLmdb(directory, { clock });
      await assert.rejects(openLmdb(directory, { clock }), IN_USE);
      await first.close();
      await using(directory, () => {});
    }));

  test('a directory in use by another process is refused, and free when that was killed', () =>
    inDirectory(async (directory) => {
      const holder = await startHolder(directory);
      try {
        await assert.rejects(openLmdb(directory, { clock }), IN_USE);
      } finally {
        await holder.kill();
      }
      await using(directory, (lmdb) => {
        assert.equal(Buffer.from(lmdb.table('t').getBinary(bytes('by')) ?? []).toString(), 'the holder');
      });
    }));

  test('of several processes that start at once after a kill, one gets the directory', () =>
    inDirectory(async (directory) => {
      const killed = await startHolder(directory);
      await killed.kill();
      const starts = await Promise.allSettled([1, 2, 3].map(() => startHolder(directory)));
      const holders = starts.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []));
      for (const holder of holders) await holder.kill();
      assert.equal(holders.length, 1);
    }));

  test('a file that cannot be locked is named, with what to do', () =>
    inDirectory(async (directory) => {
      await mkdir(join(directory, 'simstream.mdb'), { recursive: true });
      await assert.rejects(
        openLmdb(directory, { clock }),
        /simstream\.mdb cannot be locked \(EISDIR.*write to/,
      );
    }));

  test('the lock holds when every file beside the store is deleted', () =>
    inDirectory(async (directory) => {
      const holder = await startHolder(directory);
      try {
        for (const file of await readdir(directory))
          if (file !== 'simstream.mdb') await rm(join(directory, file));
        await assert.rejects(openLmdb(directory, { clock }), IN_USE);
      } finally {
        await holder.kill();
      }
    }));

  for (const [what, change] of [
    ['deleted', (path: string) => rm(path)],
    [
      'replaced by another file',
      (path: string) => copyFile(path, `${path}.new`).then(() => rename(`${path}.new`, path)),
    ],
  ] as const)
    test(`a file that is ${what} while it is open is noticed at the next write, or soon without one`, () =>
      inDirectory(async (directory) => {
        const own = new ManualClock();
        const lmdb = await openLmdb(directory, { clock: own });
        const table = lmdb.table('t');
        await lmdb.write([put(table, 'a', '1')]);
        await change(join(directory, 'simstream.mdb'));
        const written = await lmdb.write([put(table, 'a', '2')]).catch((error: Error) => error);
        assert.ok(written instanceof StoreFailure);
        assert.match(written.message, new RegExp(`${what} while it was in use`));
        assert.match(await lmdb.lost, new RegExp(`simstream\\.mdb was ${what} .*restore it from a backup`));
        await lmdb.close();
      }));

  test('an idle store notices that its file was deleted', () =>
    inDirectory(async (directory) => {
      const own = new ManualClock();
      const lmdb = await openLmdb(directory, { clock: own });
      await rm(join(directory, 'simstream.mdb'));
      await own.advance(2_000);
      assert.match(await lmdb.lost, /was deleted/);
      await lmdb.close();
    }));

  test('a file that is not a store is named, and the directory free again', () =>
    inDirectory(async (directory) => {
      await using(directory, () => {});
      const path = join(directory, 'simstream.mdb');
      const store = await readFile(path);
      const other = Buffer.from(store);
      other.writeUInt32LE(3, 16_384 + 28);
      const files: [content: Buffer, fault: RegExp][] = [
        [Buffer.alloc(65_536, 'no store'), /not an LMDB file/],
        [Buffer.alloc(65_536), /not an LMDB file/],
        [Buffer.from('abc'), /not an LMDB file/],
        [store.subarray(0, 20_000), /cut short at 20000 bytes/],
        [store.subarray(0, 16_384), /cut short at 16384 bytes/],
        [other, /version 3, not 2/],
      ];
      for (const [content, fault] of files) {
        await writeFile(path, content);
        await assert.rejects(openLmdb(directory, { clock }), (error: Error) => {
          assert.match(error.message, /simstream\.mdb cannot be opened: /);
          return fault.test(error.message);
        });
      }
      await writeFile(path, store);
      await using(directory, () => {});
      await writeFile(path, '');
      await using(directory, () => {});
    }));

  test('a file that was cut, or emptied although the directory was in use, is refused with what to do', () =>
    inDirectory(async (directory) => {
      await using(directory, (lmdb) => lmdb.write([put(lmdb.table('t'), 'a', 'x'.repeat(8_000_000))]));
      const path = join(directory, 'simstream.mdb');
      const store = await readFile(path);
      await writeFile(path, store.subarray(0, 4_000_000));
      await assert.rejects(
        openLmdb(directory, { clock }),
        /cut short: it has 4000000 bytes, .*restore it from a backup/,
      );
      await writeFile(path, '');
      await writeFile(join(directory, 'secret'), 'of a node that ran here');
      await assert.rejects(openLmdb(directory, { clock }), /it is empty, although the directory was in use/);
      await writeFile(path, store);
      await using(directory, () => {});
    }));

  test('closing waits for writes; later ones are refused', () =>
    inDirectory(async (directory) => {
      const lmdb = await openLmdb(directory, { clock });
      const table = lmdb.table('t');
      const written = lmdb.write([{ table, key: bytes('a'), value: Buffer.alloc(5_000_000) }]);
      const closed = lmdb.close();
      await assert.rejects(lmdb.write([put(table, 'b', '2')]), StoreFailure);
      await Promise.all([written, closed, lmdb.close()]);
      await using(directory, (again) => {
        assert.equal(again.table('t').getBinary(bytes('a'))?.byteLength, 5_000_000);
        assert.equal(again.table('t').getBinary(bytes('b')), undefined);
      });
    }));

  test('the checks go on by the clock until the store is closed', () =>
    inDirectory(async (directory) => {
      const own = new ManualClock();
      const lmdb = await openLmdb(directory, { clock: own });
      await own.advance(180_000);
      assert.equal(own.waiting, 2);
      await lmdb.close();
      assert.equal(own.waiting, 0);
    }));
});
