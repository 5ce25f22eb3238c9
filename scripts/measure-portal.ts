import { appendFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { launchChromium } from '../tests/support/browser.ts';
import { buildPortal } from './build-portal.ts';
import { type ListReport, measureList } from './measure-portal-list.ts';
import { measureTail, type TailSample } from './measure-portal-tail.ts';

/** `npm run measure:portal -- list tail --minutes 60`: the cost of the portal in the browser that shows it. See docs/portal.md. */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '5' },
    streams: { type: 'string', default: '1000' },
    rate: { type: 'string', default: '50' },
    /** A second place for the samples, one JSON object per line. */
    output: { type: 'string' },
  },
});
const wanted = positionals.length > 0 ? positionals : ['list', 'tail'];

await buildPortal();
const browser = await launchChromium();
if (!browser) throw new Error('No Chromium was found: install one, or name it in CHROMIUM_PATH.');
try {
  console.log(`Chromium ${browser.version()}`);
  if (values.output) writeFileSync(values.output, '');
  if (wanted.includes('list')) tellList(await measureList(browser, Number(values.streams)));
  if (wanted.includes('tail')) await tail();
} finally {
  await browser.close();
}

async function tail(): Promise<void> {
  console.log('| minute | records sent | shown | heap, MiB | DOM nodes | listeners | process, MiB |');
  console.log('| ---: | ---: | ---: | ---: | ---: | ---: | ---: |');
  await measureTail({ minutes: Number(values.minutes), perSecond: Number(values.rate) }, (sample) => {
    console.log(rowOf(sample));
    if (values.output) appendFileSync(values.output, `${JSON.stringify(sample)}\n`);
  });
}

function rowOf({ minutes, sent, rows, heap, nodes, listeners, resident }: TailSample): string {
  const cells = [minutes.toFixed(1), sent, rows, mebibytes(heap), nodes, listeners, mebibytes(resident)];
  return `| ${cells.join(' | ')} |`;
}

function tellList({ streams, firstCard, nodes, heap, answer, phases, keys }: ListReport): void {
  console.log(
    `${streams} streams: first card ${Math.round(firstCard)} ms after the login, ${nodes} DOM nodes, heap ${mebibytes(heap)} MiB; the list is ${Math.round(answer / 1024)} KiB of JSON.`,
  );
  console.log(
    '| while | seconds | frames drawn | dropped | longest gap, ms | main thread computes | longest task, ms | tasks above 50 ms |',
  );
  console.log('| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |');
  for (const { phase, seconds, drawn, dropped, longestGap, busy, longestTask, longTasks } of phases) {
    const cells = [
      phase,
      seconds.toFixed(1),
      drawn,
      dropped,
      longestGap.toFixed(0),
      `${(busy * 100).toFixed(1)} %`,
      longestTask.toFixed(0),
      longTasks,
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
  const sorted = keys.toSorted((a, b) => a - b);
  console.log(
    `Key to frame in the search field: median ${sorted[Math.floor(sorted.length / 2)]} ms, worst ${sorted.at(-1)} ms, ${keys.length} keys.`,
  );
}

function mebibytes(bytes: number | undefined): string {
  return bytes === undefined ? '–' : (bytes / 2 ** 20).toFixed(1);
}
