import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

/** `UPDATE_DOCS=1 npm run test:system` writes what this compares. */
test('docs/add-a-destination.md shows this example as it is', () => {
  const guide = 'docs/add-a-destination.md';
  const text = readFileSync(guide, 'utf8');
  const shown = (name: string) => {
    const code = readFileSync(new URL(name, import.meta.url), 'utf8');
    return `<!-- ${name} -->\n\`\`\`ts\n${code}\`\`\`\n<!-- /${name} -->`;
  };
  const updated = ['log-store.ts', 'log-store.test.ts'].reduce(
    (before, name) =>
      before.replace(new RegExp(`<!-- ${name} -->[\\s\\S]*<!-- /${name} -->`), () => shown(name)),
    text,
  );
  if (process.env.UPDATE_DOCS) writeFileSync(guide, updated);
  else assert.equal(text, updated, 'run UPDATE_DOCS=1 npm run test:system');
});
