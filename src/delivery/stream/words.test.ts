import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { STATUS_DESCRIPTIONS, STATUS_IDS } from '../../registry/data-stream.ts';
import { WORDS, type Words } from './words.ts';

test('docs/states.md lists the states and their words', () => {
  const rows = Object.values<Words>(WORDS).map(({ state, actor, when, next, say }) => {
    const shown = `${STATUS_IDS[state]} ${STATUS_DESCRIPTIONS[state]}`;
    return `| ${shown} | ${say('*since*', '*cause*', '*time*')} | ${when} | ${actor} | ${next} |`;
  });
  const head = [
    '| status | message | when | who must act | what happens next |',
    '| --- | --- | --- | --- | --- |',
  ];
  const table = `<!-- states -->\n${[...head, ...rows].join('\n')}\n<!-- /states -->`;
  const text = readFileSync('docs/states.md', 'utf8');
  const between = /<!-- states -->[\s\S]*<!-- \/states -->/;
  if (process.env.UPDATE_DOCS)
    writeFileSync(
      'docs/states.md',
      text.replace(between, () => table),
    );
  else assert.equal(between.exec(text)?.[0], table, 'run UPDATE_DOCS=1 npm run test:unit');
});

test('every state that is not well says who must act', () => {
  for (const [name, { actor }] of Object.entries<Words>(WORDS))
    assert.equal(actor === 'nobody', name === 'running' || name === 'pending', name);
});
