import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { launchChromium } from '../tests/support/browser.ts';
import { observerViews, troubledViews, views } from '../tests/support/portal-views.ts';
import { openWindow, populate, signIn, startPortalWorld } from '../tests/support/portal-world.ts';
import { buildPortal } from './build-portal.ts';

/** `npm run screenshots`: every view of the portal, light and dark, narrow and wide, into screenshots/. */
const FOLDER = fileURLToPath(new URL('../screenshots', import.meta.url));

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
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [360, 1440]) {
      const { page, context } = await openWindow(browser, { colorScheme, viewport: { width, height: 900 } });
      const shoot = (name: string) =>
        page.screenshot({ path: `${FOLDER}/${name}-${colorScheme}-${width}.png`, fullPage: true });
      await page.goto(world.node.url);
      await page.getByRole('button', { name: 'Sign in' }).waitFor();
      await shoot('login');
      await signIn(page, world.node.url, 'ben');
      await page.getByRole('link', { name: 'Add Webhook' }).waitFor();
      await shoot('empty');
      await page.evaluate('sessionStorage.clear()');
      await signIn(page, world.node.url, 'ada');
      await page.getByRole('heading', { name: 'Data Streams' }).waitFor();
      for (const view of [...views(streams), ...troubledViews(world.node.url, streams)]) {
        await view.open(page);
        await shoot(view.name);
      }
      await page.unrouteAll({ behavior: 'ignoreErrors' });
      await page.evaluate('sessionStorage.clear()');
      await signIn(page, world.node.url, 'olga');
      await page.getByRole('heading', { name: 'Data Streams' }).waitFor();
      for (const view of observerViews(streams)) {
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
