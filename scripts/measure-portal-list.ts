import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser, Page } from 'playwright-core';
import { openWindow, signIn } from '../tests/support/portal-window.ts';
import { event, startPortalWorld } from '../tests/support/portal-world.ts';
import { type Frames, framesOf, type TraceEvent } from './measure-portal-trace.ts';

export interface ListReport {
  readonly streams: number;
  /** From the click that signs in to the first card, ms. */
  readonly firstCard: number;
  readonly nodes: number;
  /** JavaScript objects, bytes, after a garbage collection. */
  readonly heap: number;
  /** Size of one answer of the list as JSON, bytes. */
  readonly answer: number;
  readonly phases: readonly (Frames & { readonly phase: string })[];
  /** From a key press in the search field to the frame that shows its effect, ms, per key. */
  readonly keys: readonly number[];
}

const ORGANISATION = 7;
/** Seconds that each phase is observed. */
const SECONDS = 10;

/** A list of this many streams on a real node: scrolled, filtered, and changed by the node's events, with the browser's own trace. */
export async function measureList(browser: Browser, streams: number): Promise<ListReport> {
  const world = await startPortalWorld({
    SIMSTREAM_STREAMS_PER_ORGANISATION: String(streams),
    SIMSTREAM_VERIFY_DESTINATIONS: 'false',
  });
  try {
    await world.api.createOrganisation(ORGANISATION, 'Nordlicht');
    await world.addUser(ORGANISATION, 'ada');
    await createStreams(world, streams);
    const { page, context } = await openWindow(browser, { viewport: { width: 1280, height: 900 } });
    const started = performance.now();
    let answer = 0;
    page.on('response', async (response) => {
      if (response.url().endsWith('/api/v2/data_stream')) {
        answer = (await response.body().catch(() => undefined))?.length ?? answer;
      }
    });
    await signIn(page, world.node.url, 'ada');
    await page.getByRole('article').first().waitFor();
    const firstCard = performance.now() - started;
    await sleep(3000);
    const session = await context.newCDPSession(page);
    await session.send('HeapProfiler.enable');
    await session.send('HeapProfiler.collectGarbage');
    await session.send('Performance.enable');
    const { metrics } = await session.send('Performance.getMetrics');
    const metric = (name: string) => metrics.find((each) => each.name === name)?.value ?? Number.NaN;

    const during = async (phase: string, action: () => Promise<unknown>) => {
      await browser.startTracing(page, {
        categories: [
          'toplevel',
          'devtools.timeline',
          'disabled-by-default-devtools.timeline.frame',
          'disabled-by-default-devtools.timeline',
        ],
      });
      await action();
      const trace = JSON.parse((await browser.stopTracing()).toString()) as { traceEvents: TraceEvent[] };
      return { phase, ...framesOf(trace.traceEvents) };
    };
    const scroll = (distance: number) =>
      session.send('Input.synthesizeScrollGesture', {
        x: 640,
        y: 500,
        yDistance: -distance,
        speed: Math.abs(distance) / SECONDS,
        gestureSourceType: 'mouse',
      });
    const phases = [
      await during('at rest, nothing changes', () => sleep(SECONDS * 1000)),
      await during('scrolled, 1,500 px a second', () => scroll(1500 * SECONDS)),
      await during('scrolled, 6,000 px a second', () => scroll(6000 * SECONDS)),
      await during('every stream delivers every second', async () => {
        for (let second = 0; second < SECONDS; second++) {
          const due = performance.now() + 1000;
          await world.sendEvents([event(ORGANISATION, 3)]);
          await sleep(Math.max(0, due - performance.now()));
        }
      }),
    ];
    await page.evaluate('scrollTo(0, 0)');
    const keys = await typed(page);
    await context.close();
    return {
      streams,
      firstCard,
      answer,
      nodes: metric('Nodes'),
      heap: metric('JSHeapUsedSize'),
      phases,
      keys,
    };
  } finally {
    await world.close();
  }
}

/** An organisation may make ten calls a second. */
async function createStreams(
  world: Awaited<ReturnType<typeof startPortalWorld>>,
  streams: number,
): Promise<void> {
  const token = await world.api.authenticate(ORGANISATION);
  for (let made = 0; made < streams; ) {
    const answer = await world.api.call('POST', '/api/v2/data_stream', token, {
      name: `Stream ${made}`,
      data_stream_type: { id: 2 },
      destination: {
        connection_type: 'RestAPI',
        credentials: { url: `${world.receiver.url}/${made}` },
        format: 'Json',
      },
    });
    if (answer.status === 201) made++;
    else if (answer.status === 429) await sleep(110);
    else throw new Error(`${answer.status} ${answer.text}`);
  }
}

/** How long the page takes to answer each key of a search that narrows the list, and each key that deletes it. */
async function typed(page: Page): Promise<number[]> {
  await page.getByLabel('Search').focus();
  await page.evaluate(`(() => {
    globalThis.keyTimes = [];
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) if (entry.name === 'keydown') keyTimes.push(entry.duration);
    }).observe({ type: 'event', durationThreshold: 16, buffered: false });
  })()`);
  const keys = [...'stream 77'.split(''), ...Array.from({ length: 9 }, () => 'Backspace')];
  for (const key of keys) {
    await page.keyboard.press(key === ' ' ? 'Space' : key);
    await sleep(400);
  }
  const slow = (await page.evaluate('keyTimes')) as number[];
  // The browser does not report quicker ones; they count as the threshold.
  return [...slow, ...new Array<number>(Math.max(0, keys.length - slow.length)).fill(16)];
}
