import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';

/**
 * Compares a part of a document, between `<!-- name -->` and `<!-- /name -->`, with what the source says.
 * With `UPDATE_DOCS` set it writes that part instead.
 */
export function compareTable(document: string, name: string, table: string): void {
  const text = readFileSync(document, 'utf8');
  const between = new RegExp(`(<!-- ${name} -->\\n)([\\s\\S]*?)(<!-- /${name} -->)`);
  if (process.env.UPDATE_DOCS)
    writeFileSync(
      document,
      text.replace(between, (_, open, _old, close) => `${open}${table}\n${close}`),
    );
  else assert.equal(between.exec(text)?.[2], `${table}\n`, 'run UPDATE_DOCS=1 npm run test:system');
}

/** The file name of a connection type's guide: `AwsKinesis` has `aws-kinesis.md`. */
export function guideOf(connectionType: string): string {
  return `${connectionType.replace(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase()}.md`;
}
