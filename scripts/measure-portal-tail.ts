import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from 'playwright-core';
import { go } from '../tests/support/portal-views.ts';
import { signIn } from '../tests/support/portal-window.ts';
import { event, startPortalWorld } from '../tests/support/portal-world.ts';
import { attach, type PlainPage, startPlainBrowser } from './plain-browser.ts';

/** The contents of the page at one moment, after a garbage collection. */
export interface TailSample {
  /** Since the tail was opened. */
  readonly minutes: number;
  readonly sent: number;
  /** Records on the page. */
  readonly rows: number;
  /** JavaScript objects, bytes. */
  readonly heap: number;
  /** DOM nodes, including those that are detached but still referenced. */
  readonly nodes: number;
  readonly listeners: number;
  /** Resident memory of the page's whole process, bytes; undefined where the system does not report it. */
  readonly resident: number | undefined;
}

interface TailReport {
  readonly perSecond: number;
  readonly samples: readonly TailSample[];
}

const ORGANISATION = 7;

/**
 * Leaves the live tail open while records are delivered, and samples the page's memory once a minute.
 * @param each called with every sample as it is taken
 */
export async function measureTail(
  { minutes, perSecond }: { readonly minutes: number; readonly perSecond: number },
  each: (sample: TailSample) => void,
): Promise<TailReport> {
  const world = await startPortalWorld();
  const browser = await startPlainBrowser();
  const stop = new AbortController();
  let sent = 0;
  const produce = async () => {
    for (let due = performance.now(); !stop.signal.aborted; due += 1000) {
      await world.sendEvents(Array.from({ length: perSecond }, () => fleetEvent(sent++)));
      await sleep(Math.max(0, due + 1000 - performance.now()), undefined, { ref: false });
    }
  };
  try {
    await world.api.createOrganisation(ORGANISATION, 'Nordlicht');
    await world.addUser(ORGANISATION, 'ada');
    const id = await world.api.createStream(await world.api.authenticate(ORGANISATION), {
      name: 'Everything',
      data_stream_type: { id: 2 },
      destination: {
        connection_type: 'RestAPI',
        credentials: { url: `${world.receiver.url}/in` },
        format: 'Json',
      },
    });
    const producing = produce();
    producing.catch(() => undefined);
    await openTail(browser.address, world.node.url, `/data-streams/${id}?tab=tail`);
    const page = await attach(browser.address, world.node.url);
    await page.send('Performance.enable');

    const samples: TailSample[] = [];
    const started = performance.now();
    for (let minute = 0; minute <= minutes; minute++) {
      await sleep(Math.max(0, started + minute * 60_000 - performance.now()));
      // A reader opens one from time to time: the page must not keep it for ever either.
      if (minute > 0) await page.evaluate("document.querySelector('.tail summary').click()");
      const sample = {
        minutes: (performance.now() - started) / 60_000,
        sent,
        rows: Number(await page.evaluate("document.querySelectorAll('.tail > div').length")),
        ...(await memoryOf(page)),
        resident: await residentOf(page),
      };
      samples.push(sample);
      each(sample);
      // The outcome is not used here.
      world.received.length = 0;
    }
    stop.abort();
    await producing;
    page.close();
    return { perSecond, samples };
  } finally {
    stop.abort();
    await browser.close();
    await world.close();
  }
}

/**
 * Signs in and opens the tail. The driver then disconnects from the browser: playwright makes the page's process keep what
 * arrives over the network, some megabytes a minute, and that would count as the page's own.
 */
async function openTail(address: string, url: string, path: string): Promise<void> {
  const driver = await chromium.connectOverCDP(address);
  const [context] = driver.contexts();
  if (!context) throw new Error('the browser has no window');
  const page = await context.newPage();
  await page.setViewportSize({ width: 1280, height: 900 });
  await signIn(page, url, 'ada');
  await page.getByRole('heading', { name: 'Data Streams' }).waitFor();
  await go(page, path);
  await page.locator('.tail summary').first().waitFor();
  await driver.close();
}

/** The JavaScript heap and the DOM after everything collectable has been collected. */
async function memoryOf(page: PlainPage): Promise<Pick<TailSample, 'heap' | 'nodes' | 'listeners'>> {
  // A second time, for objects that only the first collection made collectable.
  await page.send('HeapProfiler.collectGarbage');
  await page.send('HeapProfiler.collectGarbage');
  const { metrics } = await page.send<{ metrics: { name: string; value: number }[] }>(
    'Performance.getMetrics',
  );
  const of = (name: string) => metrics.find((metric) => metric.name === name)?.value ?? Number.NaN;
  return { heap: of('JSHeapUsedSize'), nodes: of('Nodes'), listeners: of('JSEventListeners') };
}

/** Of the browser's largest page process: only one page is open, and spare processes are small. */
async function residentOf(page: PlainPage): Promise<number | undefined> {
  const { processInfo } = await page.sendBrowser<{ processInfo: { type: string; id: number }[] }>(
    'SystemInfo.getProcessInfo',
  );
  const sizes = processInfo
    .filter(({ type }) => type === 'renderer')
    .map(({ id }) => {
      try {
        return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${id}/status`, 'utf8'))?.[1]) * 1024;
      } catch {
        return Number.NaN;
      }
    })
    .filter((size) => size > 0);
  return sizes.length > 0 ? Math.max(...sizes) : undefined;
}

const TYPES = [1, 2, 3, 4, 5, 16, 28, 33];

/** An event as large as one of a real SIM: about 900 bytes. */
function fleetEvent(number: number): object {
  const sim = 1_000 + (number % 500);
  return event(ORGANISATION, TYPES[number % TYPES.length] as number, {
    alert: number % 40 === 0,
    description: `New location received from VLR for IMSI='90143${sim}', now attached to VLR='49170${number % 7}'.`,
    imsi: { id: sim, imsi: `90143${sim}`, import_date: '2026-01-31T08:00:00Z' },
    sim: { id: sim, iccid: `8988303000000${sim}`, production_date: '2026-01-31T08:00:00Z' },
    endpoint: {
      id: sim,
      name: `Meter ${sim}`,
      ip_address: `10.1.${sim % 250}.7`,
      imei: `35960407${sim}`,
      tags: null,
    },
    detail: {
      country: { id: 74, name: 'Germany', country_code: '49', mcc: '262', iso_code: 'de' },
      name: `Operator ${number % 5}`,
      tapcode: [{ id: number % 5, tapcode: `DEUD${number % 5}` }],
      mnc: [{ id: number % 5, mnc: `0${number % 5}` }],
      note: 'x'.repeat(number % 200),
    },
  });
}
