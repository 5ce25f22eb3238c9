import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, describe, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { buildPortal } from '../../scripts/build-portal.ts';
import { chromiumFor } from '../support/browser.ts';
import { go, observerViews, troubledViews, type View, views } from '../support/portal-views.ts';
import { explainFailure, openWindow, signIn, whatIsShown } from '../support/portal-window.ts';
import {
  type Populated,
  type PortalWorld,
  populate,
  QUARANTINED,
  startPortalWorld,
} from '../support/portal-world.ts';

const AXE = readFileSync(new URL(import.meta.resolve('axe-core/axe.min.js')), 'utf8');

export function accessibilityTests(): void {
  describe('axe finds nothing to object to', { concurrency: 1 }, () => {
    let world: PortalWorld;
    let browser: Browser | undefined;
    let streams: Populated;
    before(async () => {
      await buildPortal();
      world = await startPortalWorld();
      await world.api.createOrganisation(7, 'Nordlicht');
      await world.addUser(7, 'ada');
      await world.addUser(7, 'olga', 'observer');
      streams = await populate(world, 7);
    });
    afterEach((t) => explainFailure(t, browser));
    after(async () => {
      await browser?.close();
      await world?.close();
    });

    for (const [colorScheme, width] of [
      ['light', 1280],
      ['dark', 360],
    ] as const) {
      test(`in any view, ${colorScheme}, ${width} px wide`, async (t) => {
        browser ??= await chromiumFor(t);
        if (!browser) return;
        // axe is put into the page from outside, which the policy of the page forbids to everybody else.
        const options = { colorScheme, viewport: { width, height: 800 }, bypassCSP: true } as const;
        const { page, faults, context } = await openWindow(browser, options);
        await page.goto(world.node.url);
        await page.getByRole('button', { name: 'Sign in' }).waitFor();
        const found = [...(await violations(page, 'login'))];
        await signIn(page, world.node.url, 'ada');
        await page.getByRole('heading', { name: 'Data Streams' }).waitFor();
        found.push(...(await objections(page, views(streams))));
        assert.deepEqual(found, []);
        assert.deepEqual(faults, []);
        await context.close();
      });
    }

    test('more records in quarantine than one page holds', async (t) => {
      browser ??= await chromiumFor(t);
      if (!browser) return;
      const { page, context } = await openWindow(browser);
      await signIn(page, world.node.url, 'ada');
      await page.getByRole('heading', { name: 'Data Streams' }).waitFor();
      await go(page, `/data-streams/${streams.quarantined}?tab=quarantine`);
      await page.getByRole('heading', { name: `${QUARANTINED} records, status 422` }).waitFor();
      await page.getByRole('button', { name: 'Show records' }).click();
      const rows = page.getByRole('table', { name: 'Quarantined records' }).getByRole('row');
      for (let shown = 20; shown < QUARANTINED; shown *= 2) {
        await page.getByText(`The oldest ${shown} of ${QUARANTINED} are shown.`).waitFor();
        await page.getByRole('button', { name: 'Show more' }).click();
      }
      await page.getByText(`The oldest ${QUARANTINED} of ${QUARANTINED} are shown.`).waitFor();
      assert.equal(await rows.count(), QUARANTINED + 1);
      assert.equal(await page.getByRole('button', { name: 'Show more' }).count(), 0);
      await context.close();
    });

    for (const [who, name, colorScheme] of [
      ['ada', 'while it is read, or cannot be', 'light'],
      ['olga', 'as somebody sees it who may look only', 'dark'],
    ] as const) {
      test(`in any view ${name}`, async (t) => {
        browser ??= await chromiumFor(t);
        if (!browser) return;
        const options = { colorScheme, viewport: { width: 360, height: 800 }, bypassCSP: true } as const;
        const { page, faults, context } = await openWindow(browser, options);
        await signIn(page, world.node.url, who);
        await page.getByRole('heading', { name: 'Data Streams' }).waitFor();
        const shown = who === 'ada' ? troubledViews(world.node.url, streams) : observerViews(streams);
        assert.deepEqual(await objections(page, shown), []);
        assert.deepEqual(faults, []);
        await context.close();
      });
    }
  });
}

async function objections(page: Page, shown: readonly View[]): Promise<string[]> {
  const found: string[] = [];
  for (const view of shown) {
    await view.open(page).catch(async (error: Error) => {
      throw new Error(`${view.name}: ${error.message}\n${await whatIsShown(page)}`, { cause: error });
    });
    found.push(...(await violations(page, view.name)));
    const sideways = Number(
      await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth'),
    );
    if (sideways > 0) found.push(`${view.name}: ${sideways} px wider than the window`);
  }
  return found;
}

interface Results {
  readonly violations: readonly {
    readonly id: string;
    readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
  }[];
}

async function violations(page: Page, view: string): Promise<string[]> {
  if (!(await page.evaluate("'axe' in globalThis"))) await page.evaluate(AXE);
  const results = (await page.evaluate('axe.run()')) as Results;
  return results.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${view}: ${id}: ${html.slice(0, 200)} ${failureSummary ?? ''}`),
  );
}
