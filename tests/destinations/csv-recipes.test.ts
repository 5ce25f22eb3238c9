import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, type TestContext, test } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import { fileBytes } from '../../src/destinations/aws/record-file.ts';
import { batchOfTexts, sampleFile } from '../../src/destinations/batches.fixture.ts';
import { type Column, CSV_COLUMNS } from '../../src/records/csv-columns.ts';
import type { CsvDialect } from '../../src/records/csv-dialect.ts';

/**
 * The recipes of docs/csv.md, as they stand there, on the real programs. `UPDATE_DOCS=1 npm run test:system` writes the
 * statements that list columns.
 */
const GUIDE = 'docs/csv.md';
const recipe = (name: string): string => {
  const found = new RegExp(`<!-- ${name} -->\\n\`\`\`sql\\n([\\s\\S]*?)\`\`\``).exec(
    readFileSync(GUIDE, 'utf8'),
  )?.[1];
  assert.ok(found, `${GUIDE} has no recipe ${name}`);
  return found;
};

/** Texts that a reader could get wrong. */
const NASTY = ['a\nb', 'back\\"slash', 'nul\u0000', '=1+1', '', 'semi;colon,comma', 'quote "x"', 'Tür'];
const eventOf = (description: string, n: number) =>
  JSON.stringify({
    id: 'ID',
    timestamp: '2026-01-31T08:15:00.118Z',
    event_type: { id: 3, description: 'x' },
    organisation: { id: 7, name: 'N' },
    description,
    detail: n % 2 === 0 ? { text: description } : null,
  }).replace('"ID"', String(18_446_744_073_709_551_600n + BigInt(n)));

async function csvFile(
  directory: string,
  kind: 'usage' | 'event',
  dialect: Partial<CsvDialect> = {},
): Promise<string> {
  const file =
    kind === 'usage'
      ? sampleFile({ to: 100 })
      : {
          ...sampleFile({ kind, to: 1 }),
          segments: async function* () {
            yield* batchOfTexts(kind, NASTY.map(eventOf)).segments;
          },
        };
  const form = {
    format: 'Csv' as const,
    gzip: false,
    extraColumns: [],
    prefix: '',
    dialect: { texts: 'standard' as const, times: 'iso' as const, defuse: false, ...dialect },
  };
  const parts: Uint8Array[] = [];
  for await (const bytes of fileBytes(file, form)) parts.push(bytes);
  const path = join(directory, `${kind === 'usage' ? 'cdr' : 'events'}_1.csv`);
  writeFileSync(path, Buffer.concat(parts));
  chmodSync(path, 0o644);
  return path;
}

/** 100 sample records: their costs and volumes as decimals. */
const COST = '0.1343581200';
const VOLUME = '13.435800';
const wanted = NASTY.map((text) => text.replaceAll('\0', ''));

describe('docs/csv.md', () => {
  const typeOf = ({ name, decimals, time, json }: Column) =>
    name === 'id'
      ? 'numeric(20)'
      : decimals
        ? `numeric(38,${decimals})`
        : time
          ? 'timestamptz'
          : json
            ? 'jsonb'
            : name === 'alert'
              ? 'boolean'
              : 'text';
  const statement = (table: string, columns: readonly Column[]) =>
    `CREATE TABLE ${table} (\n${columns.map((one) => `  ${one.name} ${typeOf(one)}`).join(',\n')}\n);\n`;
  const tables = `${statement('usage_records', CSV_COLUMNS.usage)}${statement('events', CSV_COLUMNS.event)}`;

  test('has the tables of PostgreSQL with the columns of the files', () => {
    if (!process.env.UPDATE_DOCS) return assert.equal(recipe('postgresql tables'), tables);
    const text = readFileSync(GUIDE, 'utf8');
    writeFileSync(
      GUIDE,
      text.replace(
        /(<!-- postgresql tables -->\n```sql\n)[\s\S]*?```/,
        (_, open) => `${open}${tables}\`\`\``,
      ),
    );
  });
});

describe('CSV files in DuckDB', () => {
  let directory: string;
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'simstream-test-'));
    await csvFile(directory, 'usage');
    await csvFile(directory, 'event');
  });

  test('are read by the recipe with all digits, and null is not an empty text', async (t) => {
    t.after(() => rmSync(directory, { recursive: true }));
    const instance = await DuckDBInstance.create(':memory:');
    const connection = await instance.connect();
    t.after(() => connection.closeSync());
    await connection.run(`SET file_search_path = '${directory}'`);
    await connection.run(recipe('duckdb'));
    const rows = async (sql: string) => (await connection.runAndReadAll(sql)).getRowsJson();
    assert.deepEqual(
      await rows(
        'SELECT count(*), sum(cost)::VARCHAR, sum(volume)::VARCHAR, min(id)::VARCHAR FROM usage_records',
      ),
      [['100', COST, VOLUME, '9007199254740993']],
    );
    assert.deepEqual(
      await rows('SELECT description, id::VARCHAR FROM events ORDER BY id'),
      wanted.map((text, n) => [text, String(18_446_744_073_709_551_600n + BigInt(n))]),
    );
    assert.deepEqual(
      await rows("SELECT count(*) FROM events WHERE description = '' AND endpoint_id IS NULL"),
      [['1']],
    );
    assert.deepEqual(await rows("SELECT detail->>'text' FROM events WHERE detail IS NOT NULL ORDER BY id"), [
      ['a\nb'],
      ['nul'],
      [''],
      ['quote "x"'],
    ]);
  });
});

describe('CSV files in PostgreSQL', () => {
  const binaries = globSync('/usr/lib/postgresql/*/bin').at(-1);
  const unless = binaries ? {} : { skip: 'no PostgreSQL on this machine (apt-get install postgresql)' };

  for (const texts of ['standard', 'single_line'] as const) {
    test(`are taken by the recipe, texts ${texts}: a NUL in a record refuses no file`, unless, async (t) => {
      const { directory, sql } = startPostgres(t, binaries as string);
      await csvFile(directory, 'usage');
      await csvFile(directory, 'event', { texts, times: texts === 'standard' ? 'iso' : 'sql_ms' });
      sql(recipe('postgresql tables'));
      sql(recipe('postgresql load').replaceAll("'/files/", `'${directory}/`));
      assert.equal(
        sql('SELECT count(*), sum(cost), sum(volume), min(id) FROM usage_records'),
        `100|${COST}|${VOLUME}|9007199254740993`,
      );
      const descriptions = JSON.parse(
        sql('SELECT json_agg(description ORDER BY id) FROM events'),
      ) as string[];
      assert.deepEqual(
        descriptions,
        wanted.map((text) => (texts === 'standard' ? text : text.replaceAll('\n', ' '))),
      );
      assert.equal(sql("SELECT count(*) FROM events WHERE description = '' AND endpoint_id IS NULL"), '1');
      assert.equal(sql('SELECT count(DISTINCT timestamp) FROM events'), '1');
      assert.equal(sql("SELECT timestamp AT TIME ZONE 'UTC' FROM events LIMIT 1"), '2026-01-31 08:15:00.118');
    });
  }
});

/** A server of its own, which does not run as root. */
function startPostgres(t: TestContext, binaries: string) {
  const directory = mkdtempSync(join(tmpdir(), 'simstream-test-'));
  chmodSync(directory, 0o755);
  const data = join(directory, 'data');
  mkdirSync(data, { mode: 0o700 });
  const user = process.getuid?.() === 0 ? idsOf('postgres') : undefined;
  if (user) chownSync(data, user.uid, user.gid);
  const run = (program: string, ...args: string[]): string => {
    // pg_ctl leaves its server the streams that it has.
    const stdio = program === 'pg_ctl' ? ('ignore' as const) : ('pipe' as const);
    const result = spawnSync(join(binaries, program), args, {
      ...user,
      encoding: 'utf8',
      stdio,
      cwd: data,
      timeout: 60_000,
      env: { ...process.env, TZ: 'UTC', PGTZ: 'UTC' },
    });
    assert.equal(result.status, 0, `${program}: ${result.stderr}`);
    return (result.stdout ?? '').trim();
  };
  run('initdb', '-D', data, '-U', 'simstream', '-A', 'trust', '-E', 'UTF8', '--locale=C', '-N');
  t.after(() => {
    run('pg_ctl', '-D', data, '-m', 'immediate', '-w', 'stop');
    rmSync(directory, { recursive: true });
  });
  run(
    'pg_ctl',
    '-D',
    data,
    '-w',
    '-l',
    join(data, 'log'),
    '-o',
    `-c listen_addresses='' -k ${data} -F`,
    'start',
  );
  return {
    directory,
    sql: (text: string) =>
      run(
        'psql',
        '-X',
        '-q',
        '-t',
        '-A',
        '-v',
        'ON_ERROR_STOP=1',
        '-h',
        data,
        '-U',
        'simstream',
        '-d',
        'postgres',
        '-c',
        text,
      ),
  };
}

function idsOf(name: string): { uid: number; gid: number } {
  const [, , uid, gid] = (/^postgres:.*$/m.exec(readFileSync('/etc/passwd', 'utf8'))?.[0] ?? '').split(':');
  assert.ok(uid && gid, `there is no user ${name}`);
  return { uid: Number(uid), gid: Number(gid) };
}
