import { mkdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Browser } from 'playwright-core';
import { launchChromium } from '../tests/support/browser.ts';
import { observerViews, troubledViews, views } from '../tests/support/portal-views.ts';
import { openWindow, signIn } from '../tests/support/portal-window.ts';
import { populate, startPortalWorld } from '../tests/support/portal-world.ts';
import { buildPortal } from './build-portal.ts';

/**
 * `npm run screenshots`: every view of the portal, light and dark, from narrow to wide, into screenshots/; and the two pictures of the
 * README into docs/images/. `-- --views users,details-ledger --widths 390 --schemes dark` takes some of them, and no pictures.
 */
const { values: only } = parseArgs({
  options: { views: { type: 'string' }, widths: { type: 'string' }, schemes: { type: 'string' } },
});
const isWanted = (choice: string | undefined, value: string) => choice?.split(',').includes(value) ?? true;
const WIDTHS = [360, 390, 768, 1440].filter((width) => isWanted(only.widths, String(width)));
const SCHEMES = (['light', 'dark'] as const).filter((scheme) => isWanted(only.schemes, scheme));
const isShort = Object.keys(only).length > 0;
const FOLDER = fileURLToPath(new URL('../screenshots', import.meta.url));
const PICTURES = fileURLToPath(new URL('../docs/images', import.meta.url));
/** Readers open README.md on any connection, so its pictures stay below this size. */
const MOST_BYTES = 120_000;

await buildPortal();
const browser = await launchChromium();
if (!browser) throw new Error('No Chromium was found: install one, or name it in CHROMIUM_PATH.');
const world = await startPortalWorld();
try {
  mkdirSync(FOLDER, { recursive: true });
  for (const [id, name, user] of [
    [7, 'Nordlicht Metering', 'ada'],
    [8, 'Southern Fleet', 'ben'],
  ] as const) {
    await world.api.createOrganisation(id, name);
    await world.addUser(id, user);
  }
  await world.addUser(7, 'olga', 'observer');
  const streams = await populate(world, 7);
  for (const colorScheme of SCHEMES) {
    if (!isShort) await takePicture(colorScheme);
    for (const width of WIDTHS) {
      const { page, context } = await openWindow(browser, { colorScheme, viewport: { width, height: 900 } });
      const shoot = (name: string) =>
        page.screenshot({ path: `${FOLDER}/${name}-${colorScheme}-${width}.png`, fullPage: true });
      if (isWanted(only.views, 'login')) {
        await page.goto(world.node.url);
        await page.getByRole('button', { name: 'Sign in' }).waitFor();
        await shoot('login');
      }
      if (isWanted(only.views, 'empty')) {
        await signIn(page, world.node.url, 'ben');
        await page.getByRole('link', { name: 'Add Webhook' }).waitFor();
        await shoot('empty');
        await page.evaluate('sessionStorage.clear()');
      }
      await signIn(page, world.node.url, 'ada');
      await page.getByRole('heading', { name: 'Data Streams' }).waitFor();
      // Each of these reloads the page, and a node allows a hundred logins in five minutes from one address.
      const troubled = width === 360 || width === 1440 ? troubledViews(world.node.url, streams) : [];
      for (const view of [...views(streams), ...troubled]) {
        if (!isWanted(only.views, view.name)) continue;
        await view.open(page);
        await shoot(view.name);
      }
      await page.unrouteAll({ behavior: 'ignoreErrors' });
      const observed = observerViews(streams).filter(({ name }) => isWanted(only.views, name));
      if (observed.length > 0) {
        await page.evaluate('sessionStorage.clear()');
        await signIn(page, world.node.url, 'olga');
        await page.getByRole('heading', { name: 'Data Streams' }).waitFor();
      }
      for (const view of observed) {
        await view.open(page);
        await shoot(view.name);
      }
      await context.close();
    }
  }
} finally {
  await browser.close();
  await world.close();
}

/** The list of data streams, as a reader of the README first sees it. */
async function takePicture(colorScheme: 'light' | 'dark'): Promise<void> {
  const { page, context } = await openWindow(browser as Browser, {
    colorScheme,
    viewport: { width: 1120, height: 760 },
  });
  await signIn(page, world.node.url, 'ada');
  await page.getByText('5 delivered in 24 h').waitFor();
  mkdirSync(PICTURES, { recursive: true });
  const path = `${PICTURES}/portal-${colorScheme}.png`;
  await page.screenshot({ path });
  const { size } = statSync(path);
  if (size > MOST_BYTES) throw new Error(`${path} has ${size} bytes, more than ${MOST_BYTES}.`);
  await context.close();
}
