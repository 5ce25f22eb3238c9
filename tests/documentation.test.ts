import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { planTable } from '../bench/scaling-plan.ts';
import { SETTING_NAMES, variableOf } from '../src/config.ts';
import { destinationTypes } from '../src/destinations/all.ts';

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
      assert.match(version, /^\d+\.\d+\.\d+$/, name);
    }
  });
});

/** `UPDATE_DOCS=1 npm run test:system` writes what this compares. */
test('README.md lists the destinations', () => {
  const rows = [...destinationTypes.values()].map(
    ({ title, connectionType, summary }) => `| ${title} | \`${connectionType}\` | ${summary} |`,
  );
  const table = ['| destination | connection_type | |', '| --- | --- | --- |', ...rows].join('\n');
  compareTable('README.md', 'destinations', table);
});

test('docs/scaling.md has the plan that its formula gives', () => {
  compareTable('docs/scaling.md', 'plan', planTable());
});

function compareTable(document: string, name: string, table: string): void {
  const text = readFileSync(document, 'utf8');
  const between = new RegExp(`(<!-- ${name} -->\\n)([\\s\\S]*?)(<!-- /${name} -->)`);
  if (process.env.UPDATE_DOCS)
    writeFileSync(
      document,
      text.replace(between, (_, open, _old, close) => `${open}${table}\n${close}`),
    );
  else assert.equal(between.exec(text)?.[2], `${table}\n`, 'run UPDATE_DOCS=1 npm run test:system');
}

describe('every document', () => {
  for (const document of DOCUMENTS) {
    const text = readFileSync(document, 'utf8');

    test(`${document} links to files that exist`, () => {
      for (const [, target = ''] of text.matchAll(/\]\((?!https?:)([^)#\s]+)[^)]*\)/g)) {
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
