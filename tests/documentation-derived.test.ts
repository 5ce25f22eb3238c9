import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { setUpApi } from '../src/api/api.fixture.ts';
import type { Console } from '../src/cli/node.ts';
import { runCommandLine } from '../src/cli/program.ts';
import { destinationTypes } from '../src/destinations/all.ts';
import { cloudEvent } from '../src/destinations/cloud-event.ts';
import { parseFilters } from '../src/filters/parse.ts';
import { parsePrivacy } from '../src/privacy/parse.ts';
import { blockInMemory } from '../src/records/block.ts';
import { RECORD_EXAMPLES } from '../src/records/examples.ts';
import { FORMATS } from '../src/records/formats.ts';
import { indexOfOne } from '../src/records/record-index.ts';
import { compareTable, guideOf } from './support/documents.ts';

/** `UPDATE_DOCS=1 npm run test:system` writes what these tests compare. */

test('docs/operator-api.md lists every call of the operator API', async () => {
  const api = await setUpApi();
  try {
    const rows = api.routes
      .filter(({ path }) => path.startsWith('/operator/'))
      .map(
        ({ method, path, summary }) => `| \`${method} ${path.replace(/:(\w+)/g, '{$1}')}\` | ${summary} |`,
      );
    assert.ok(rows.length > 10);
    compareTable('docs/operator-api.md', 'calls', ['| call | |', '| --- | --- |', ...rows].join('\n'));
  } finally {
    await api.close();
  }
});

describe('docs/command-line.md', () => {
  test('has the help of every command', async () => {
    const main = await helpOf();
    const names = [...main.slice(main.indexOf('\nCommands:')).matchAll(/^ {2}(\w[\w-]*)/gm)]
      .map(([, name = '']) => name)
      .filter((name) => name !== 'help');
    assert.ok(names.includes('serve') && names.includes('import'));
    const parts = [main, ...(await Promise.all(names.map((name) => helpOf(name))))].map(
      (help, at) => `## \`simstream${at === 0 ? '' : ` ${names[at - 1]}`}\`\n\`\`\`text\n${help}\n\`\`\``,
    );
    compareTable('docs/command-line.md', 'commands', parts.join('\n\n'));
  });
});

/** The help of a command. Settings are left out where a command takes all of them: docs/configuration.md has the table. */
async function helpOf(...command: string[]): Promise<string> {
  let text = '';
  const print = (more: string) => {
    text += `${more}\n`;
  };
  const console: Console = {
    environment: {},
    terminal: false,
    print,
    printError: print,
    onSignal: () => () => {},
    exit: () => assert.fail('help ends no process'),
  };
  const code = await runCommandLine([...command, '--help'], console, async () => {
    throw new Error('help starts no node');
  });
  assert.equal(code, 0, text);
  const options = text.trimEnd().split(/\n(?= {2}-)/);
  const settings = options.filter((option) => option.includes('[SIMSTREAM_')).length;
  if (settings < 10) return text.trimEnd();
  const own = options.filter((option) => !option.includes('[SIMSTREAM_'));
  return [...own, '  …  and a flag for every setting of configuration.md'].join('\n');
}

test('docs/filters.md shows filters that are accepted', () => {
  const examples = [...readFileSync('docs/filters.md', 'utf8').matchAll(/```json\n([\s\S]*?)```/g)];
  assert.ok(examples.length >= 4);
  for (const [, example = ''] of examples) {
    const parsed = parseFilters(JSON.parse(example), 'event');
    assert.equal(parsed.type, 'valid', example);
  }
});

test('docs/privacy.md shows what is accepted', () => {
  const [, example = ''] = /```json\n([\s\S]*?)```/.exec(readFileSync('docs/privacy.md', 'utf8')) ?? [];
  const parsed = parsePrivacy(JSON.parse(example).privacy);
  assert.ok(parsed.type === 'valid' && parsed.privacy);
});

test('docs/formats.md shows the CloudEvent of the example record', () => {
  const [, example = ''] = /```json\n([\s\S]*?)```/.exec(readFileSync('docs/formats.md', 'utf8')) ?? [];
  const { data, ...attributes } = JSON.parse(example);
  const bytes = Buffer.from(RECORD_EXAMPLES.usage);
  const facts = { organisation: 70_412, endpoint: 41_806_233n };
  const block = blockInMemory(indexOfOne('usage', bytes.length, facts), bytes, 0);
  const { data: record, ...others } = JSON.parse(cloudEvent(block, 0).toString());
  assert.deepEqual(attributes, others);
  assert.equal(data.id, record.id);
});

test('docs/README.md links to the guide of every destination', () => {
  const rows = [...destinationTypes.values()].map(
    ({ title, connectionType, summary }) =>
      `| [${title}](destinations/${guideOf(connectionType)}) | ${summary} |`,
  );
  compareTable('docs/README.md', 'guides', ['| guide | |', '| --- | --- |', ...rows].join('\n'));
});

test('docs/formats.md says which connection type carries which format', () => {
  const names = Object.keys(FORMATS) as (keyof typeof FORMATS)[];
  const meanings = names.map((name) => `| \`${name}\` | ${FORMATS[name]} |`);
  compareTable(
    'docs/formats.md',
    'formats',
    ['| format | what a receiver gets |', '| --- | --- |', ...meanings].join('\n'),
  );
  const rows = [...destinationTypes.values()].map(({ title, connectionType, formats }) => {
    const cells = names.map((name) =>
      name === formats[0] ? 'default' : formats.includes(name) ? 'yes' : '–',
    );
    return `| [${title}](destinations/${guideOf(connectionType)}) | ${cells.join(' | ')} |`;
  });
  const head = `| | ${names.join(' | ')} |`;
  compareTable(
    'docs/formats.md',
    'types',
    [head, `|${' --- |'.repeat(names.length + 1)}`, ...rows].join('\n'),
  );
});

test('docs/architecture.md names every folder of src/', () => {
  const table = /<!-- layout -->([\s\S]*?)<!-- \/layout -->/.exec(
    readFileSync('docs/architecture.md', 'utf8'),
  )?.[1];
  assert.ok(table);
  const named = new Set(
    [...table.matchAll(/^\| (.+?) \|/gm)].flatMap(([, cell = '']) =>
      [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name.replace(/\/$/, '')),
    ),
  );
  const present = readdirSync('src').filter((name) => !name.includes('.test.'));
  assert.deepEqual([...named].sort(), present.sort());
});

describe('docs/tour.md', () => {
  const text = readFileSync('docs/tour.md', 'utf8').replaceAll(/\s+/g, ' ');
  // `name` in [path](../path), or `one` and `other` in [path](../path)
  const named = [...text.matchAll(/((?:`\w+` and )?`\w+`) in \[(\S+)\]\(\.\.\/(\S+)\)/g)];

  test('names functions and types that are in the files it links to', () => {
    assert.ok(named.length > 20);
    for (const [, names = '', shown = '', path = ''] of named) {
      assert.equal(shown, path);
      const source = readFileSync(path, 'utf8');
      for (const [, name] of names.matchAll(/`(\w+)`/g)) {
        assert.match(source, new RegExp(`^export .*\\b${name}\\b`, 'm'), `${name} in ${path}`);
      }
    }
  });
});
