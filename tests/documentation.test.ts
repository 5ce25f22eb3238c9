import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { planTable } from '../bench/scaling-plan.ts';
import { SETTING_NAMES, variableOf } from '../src/config/config.ts';
import { destinationTypes } from '../src/destinations/all.ts';
import { fileNameOf } from '../src/destinations/folders.fixture.ts';
import { blockInMemory } from '../src/records/block.ts';
import { csvTable } from '../src/records/csv.ts';
import { type Column, CSV_COLUMNS, CSV_EXTRAS, EXTRA_COLUMNS } from '../src/records/csv-columns.ts';
import { EVENT_TYPES } from '../src/records/event-types.ts';
import { RECORD_EXAMPLES } from '../src/records/examples.ts';
import { RECORD_KINDS } from '../src/records/kinds.ts';
import { RecordReader } from '../src/records/record-reader.ts';
import { scanBody } from '../src/records/scan.ts';
import { RECORD_FIELDS, TYPES } from '../src/records/schema.ts';
import { compareTable, guideOf } from './support/documents.ts';

interface Package {
  readonly dependencies: Record<string, string>;
  readonly devDependencies: Record<string, string>;
  readonly license?: string;
  readonly scripts: Record<string, string>;
}

const readPackage = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as Package;
const { dependencies, devDependencies, scripts } = readPackage('package.json');
const DOCUMENTS = ['README.md', 'CONTRIBUTING.md', ...globSync('docs/**/*.md')];

describe('docs/dependencies.md', () => {
  const [runtime = '', development = ''] = readFileSync('docs/dependencies.md', 'utf8')
    .split('## For development and tests')
    .map((part) => part.split('## Overrides')[0] ?? '');
  const rowsOf = (text: string) =>
    [...text.matchAll(/^\| `([^`]+)` \| (.+) \| (.+) \| (.+) \|$/gm)].map(
      ([, name, why, instead, licence]) => ({
        name: name as string,
        why: why as string,
        instead,
        licence,
      }),
    );

  for (const [title, text, wanted] of [
    ['run time', runtime, dependencies],
    ['development', development, devDependencies],
  ] as const) {
    test(`lists each dependency of ${title}, in order, with the licence that is installed`, () => {
      const rows = rowsOf(text);
      assert.deepEqual(
        rows.map(({ name }) => name),
        Object.keys(wanted).sort(),
      );
      for (const { name, why, licence } of rows) {
        assert.equal(licence, readPackage(join('node_modules', name, 'package.json')).license, name);
        assert.ok(why.length > 10, name);
      }
    });
  }

  test('versions are exact', () => {
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
      assert.match(version, /^\d+\.\d+\.\d+(-r\.\d+)?$/, name);
    }
  });
});

/** `UPDATE_DOCS=1 npm run test:system` writes what this compares. */
test('README.md lists the destinations', () => {
  const rows = [...destinationTypes.values()].map(
    ({ title, connectionType, summary }) =>
      `| [${title}](docs/destinations/${guideOf(connectionType)}) | \`${connectionType}\` | ${summary} |`,
  );
  const table = ['| destination | connection_type | |', '| --- | --- | --- |', ...rows].join('\n');
  compareTable('README.md', 'destinations', table);
});

test('each destination has a suite of hostile behaviours, whose table is in its guide', () => {
  for (const type of destinationTypes.values()) {
    const guide = readFileSync(`docs/destinations/${fileNameOf(type)}.md`, 'utf8');
    const rows = /<!-- hostile -->\n([\s\S]*?)<!-- \/hostile -->/.exec(guide)?.[1]?.match(/^\|/gm) ?? [];
    assert.ok(rows.length >= 2 + 12, type.connectionType);
    assert.equal(
      globSync(`src/destinations/*/${fileNameOf(type)}.hostile.test.ts`).length,
      1,
      type.connectionType,
    );
  }
});

test('docs/scaling.md has the plan that its formula gives', () => {
  compareTable('docs/scaling.md', 'plan', planTable());
});

describe('docs/csv.md', () => {
  const fields = ({ paths }: Column) => paths.map((path) => `\`${path}\``).join(', ');
  const form = ({ decimals, json }: Column) => (json ? 'JSON' : decimals ? `${decimals} decimals` : '');
  const compare = (name: string, ...rows: string[]) => compareTable('docs/csv.md', name, rows.join('\n'));

  for (const kind of RECORD_KINDS) {
    test(`lists the columns of ${kind} files`, () => {
      const rows = CSV_COLUMNS[kind].map(
        (column, at) => `| ${at + 1} | \`${column.name}\` | ${fields(column)} | ${form(column)} |`,
      );
      const head = ['| # | column | field of the record | form |', '| --: | --- | --- | --- |'];
      compare(`${kind} columns`, ...head, ...rows);
    });
  }

  test('lists the extra columns', () => {
    const from = (column: Column | undefined) => (column ? fields(column) : 'a column of every file');
    const rows = EXTRA_COLUMNS.map(
      (name) => `| \`${name}\` | ${from(CSV_EXTRAS.usage[name])} | ${from(CSV_EXTRAS.event[name])} |`,
    );
    const head = ['| column | field of usage records | field of events |', '| --- | --- | --- |'];
    compare('extra columns', ...head, ...rows);
  });
});

describe('docs/records.md', () => {
  const compare = (name: string, ...rows: string[]) => compareTable('docs/records.md', name, rows.join('\n'));

  test('lists the types of fields', () => {
    compare(
      'types',
      '| type | |',
      '| --- | --- |',
      ...Object.entries(TYPES).map(([type, meaning]) => `| ${type} | ${meaning} |`),
    );
  });

  for (const kind of RECORD_KINDS) {
    test(`lists the fields of ${kind} records`, () => {
      const rows = RECORD_FIELDS[kind].map(({ path, type, mandatory, nullable, unit, meaning }) => {
        const text = `${meaning}${unit ? ` In ${unit}.` : ''}`;
        return `| \`${path}\` | ${type} | ${mandatory ? 'yes' : ''} | ${nullable ? 'yes' : ''} | ${text} |`;
      });
      const head = ['| field | type | mandatory | null | |', '| --- | --- | --- | --- | --- |'];
      compare(`${kind} fields`, ...head, ...rows);
    });

    test(`has an example of ${kind} records that is accepted, and its CSV`, async () => {
      const text = RECORD_EXAMPLES[kind];
      compare(`${kind} example`, '```json', text, '```');
      const record = Buffer.from(text.replace(/\n\s*/g, ''));
      const { columns, invalid } = await scanBody(new RecordReader(kind), record, 'array');
      assert.deepEqual([columns.count, invalid], [1, 0]);
      const table = csvTable(kind);
      const rows = table.rows(blockInMemory(columns.toIndex(), record, 0), 0, 1);
      compare(`${kind} csv`, '```csv', `${Buffer.from(table.header)}${Buffer.from(rows)}`.trimEnd(), '```');
    });
  }

  test('lists the event types', () => {
    const rows = [...EVENT_TYPES.values()].map(({ id, name, usual, meaning }) => {
      const { severity = '–', source = '–' } = usual ?? {};
      const alert = usual ? (usual.alert ? 'yes' : 'no') : '–';
      return `| ${id} | ${name} | ${severity} | ${source} | ${alert} | ${meaning} |`;
    });
    const head = [
      '| id | name | severity | source | alert | what happened |',
      '| --: | --- | --- | --- | --- | --- |',
    ];
    compare('event types', ...head, ...rows);
  });
});

describe('every figure', () => {
  for (const figure of globSync('docs/images/*.svg')) {
    test(`${figure} has selectable text, a title and a description, needs nothing else, and is shown`, () => {
      const text = readFileSync(figure, 'utf8');
      assert.match(text, /<title id="title">[^<]+<\/title>/);
      assert.match(text, /<desc id="desc">[^<]+<\/desc>/);
      assert.match(text, /<text /);
      assert.match(text, /prefers-color-scheme: ?dark/);
      assert.doesNotMatch(text, /<script|<image|href=|@import/);
      const shown = DOCUMENTS.some((document) => readFileSync(document, 'utf8').includes(basename(figure)));
      assert.ok(shown, 'no document shows it');
    });
  }
});

describe('every document', () => {
  for (const document of DOCUMENTS) {
    const text = readFileSync(document, 'utf8');

    test(`${document} links to files that exist`, () => {
      const links = text.matchAll(/\]\((?!https?:)([^)#\s]+)[^)]*\)/g);
      const pictures = text.matchAll(/ (?:src|srcset)="(?!https?:)([^"\s]+)"/g);
      for (const [, target = ''] of [...links, ...pictures]) {
        assert.ok(existsSync(join(dirname(document), target)), target);
      }
    });

    test(`${document} names variables and scripts that exist`, () => {
      const variables = new Set(SETTING_NAMES.map(variableOf));
      for (const [name] of text.matchAll(/\bSIMSTREAM_[A-Z][A-Z_]*[A-Z]\b/g)) {
        assert.ok(variables.has(name) || name.startsWith('SIMSTREAM_BENCH_'), name);
      }
      for (const [, script = ''] of text.matchAll(/npm (?:run|start|test)(?: -s)? ([a-z:]+)\b/g)) {
        assert.ok(script in scripts, script);
      }
    });
  }
});

test('docs/README.md leads to every page', () => {
  const index = readFileSync('docs/README.md', 'utf8');
  for (const page of globSync('docs/{*,destinations/*}.md')) {
    const target = page.slice('docs/'.length);
    if (target !== 'README.md') assert.ok(index.includes(`(${target})`), `add a link to ${target}`);
  }
});
