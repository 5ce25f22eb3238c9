import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { buildPortal } from '../../scripts/build-portal.ts';
import { chromiumFor } from '../support/browser.ts';
import { event, openWindow, type PortalWorld, signIn, startPortalWorld } from '../support/portal-world.ts';
import { waitFor } from '../support/wait-for.ts';

describe('the portal, in a browser', () => {
  let world: PortalWorld;
  let browser: Browser | undefined;
  before(async () => {
    await buildPortal();
    world = await startPortalWorld();
    await world.api.createOrganisation(7, 'Nordlicht');
    await world.addUser(7, 'ada');
  });
  after(async () => {
    await browser?.close();
    await world?.close();
  });

  test('from the first login to the first record that is delivered', async (t) => {
    browser = await chromiumFor(t);
    if (!browser) return;
    const { page, faults, context } = await openWindow(browser);
    await signIn(page, world.node.url, 'ada');
    await page.getByRole('link', { name: 'Add Webhook' }).click();
    await page.getByLabel('Name').fill('My first stream');
    await page.getByRole('radio', { name: 'Events' }).check();
    await page.getByRole('button', { name: 'Next: destination' }).click();
    await page.getByLabel('URL').fill(`${world.receiver.url}/in`);
    await page.getByRole('button', { name: 'Test connection' }).click();
    await page.getByText('The destination can be used').waitFor();
    await page.getByRole('button', { name: 'Create', exact: true }).click();
    const card = page.getByRole('article', { name: 'My first stream' });
    await card.getByText('Running', { exact: true }).waitFor();
    await world.sendEvents([event(7, 3)]);
    await waitFor('a delivery', () => world.received[0]);
    await card.locator('dd').first().getByText('1', { exact: true }).waitFor();
    assert.deepEqual(faults, []);
    await page.screenshot({ path: '/tmp/shot.png', fullPage: true });
    await context.close();
  });
});
