import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Reason } from './reasons.ts';

/**
 * Holds a table of a guide in docs/destinations to its source: it stands between `<!-- name -->` and `<!-- /name -->`.
 * `UPDATE_DOCS=1 npm run test:unit` writes it.
 */
export function testGuideTable(guide: string, name: string, table: () => string | Promise<string>): void {
  test(`docs/destinations/${guide} has the table “${name}” of its source`, async () => {
    const path = fileURLToPath(new URL(`../../docs/destinations/${guide}`, import.meta.url));
    const text = readFileSync(path, 'utf8');
    const between = new RegExp(`(<!-- ${name} -->\\n)([\\s\\S]*?)(<!-- /${name} -->)`);
    assert.match(text, between, 'the guide lacks the marks of the table');
    const made = await table();
    if (process.env.UPDATE_DOCS) {
      writeFileSync(
        path,
        text.replace(between, (_, open, _old, close) => `${open}${made}\n${close}`),
      );
    } else assert.equal(between.exec(text)?.[2], `${made}\n`, 'run UPDATE_DOCS=1 npm run test:unit');
  });
}

const DOES: Readonly<Record<Reason<unknown>['type'], string>> = {
  retry: 'tries again',
  refused: 'Error after ten minutes',
  too_large: 'splits the request',
  rejected: 'splits until it finds the record, quarantines it',
  platform: 'tries again; the platform operator must act',
};

/** The reasons of a service for its guide: what it answers, what simstream does, and what the customer reads. */
export function reasonTable<Context>(table: readonly Reason<Context>[], context: Context): string {
  const rows = table.map(({ example, type, advice }) => {
    const code = /^\d*\s*$/.test(example.code) ? '' : ` ${example.code.trim()}`;
    const words = example.words ? ` “${example.words}”` : '';
    return `| ${example.status}${code}${words} | ${DOES[type]} | ${advice(context)} |`.replaceAll(
      /(?<=\S)\|(?=\S)/g,
      '\\|',
    );
  });
  return [
    '| the service answers, for example | simstream | the customer reads |',
    '| --- | --- | --- |',
    ...rows,
  ].join('\n');
}
