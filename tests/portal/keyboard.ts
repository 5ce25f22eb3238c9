import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { buildPortal } from '../../scripts/build-portal.ts';
import { chromiumFor } from '../support/browser.ts';
import { explainFailure, openWindow } from '../support/portal-window.ts';
import { PASSWORD, type PortalWorld, startPortalWorld } from '../support/portal-world.ts';

/** More elements than any view lets one go through before the one that is looked for. */
const MOST_TABS = 80;

export function keyboardTests(): void {
  describe('with the keyboard alone', { concurrency: 1 }, () => {
    let world: PortalWorld;
    let browser: Browser | undefined;
    before(async () => {
      await buildPortal();
      world = await startPortalWorld();
      await world.api.createOrganisation(7, 'Nordlicht');
      await world.addUser(7, 'ada');
    });
    afterEach((t) => explainFailure(t, browser));
    after(async () => {
      await browser?.close();
      await world?.close();
    });

    test('login, a new stream with filter groups, its details, its end', async (t) => {
      browser = await chromiumFor(t);
      if (!browser) return;
      const { page, faults } = await openWindow(browser);
      const { press, type, tabTo } = keysOf(page);
      await page.goto(world.node.url);

      await page.getByRole('button', { name: 'Sign in' }).waitFor();
      await tabTo('textbox', 'Username');
      await type('ada');
      await tabTo('textbox', 'Password');
      await type(PASSWORD);
      await press('Enter');

      await page.getByRole('link', { name: 'Add Webhook' }).waitFor();
      await tabTo('link', 'Add Webhook');
      await press('Enter');

      await page.getByRole('form', { name: 'Source' }).waitFor();
      await tabTo('textbox', 'Name');
      await type('By keyboard');
      await tabTo('radio', 'Usage data');
      await press('ArrowDown');
      await page.getByRole('radiogroup', { name: 'Which events' }).waitFor();
      await tabTo('radio', 'All events');
      for (let step = 0; step < 4; step++) await press('ArrowDown');
      await page.getByRole('group', { name: 'Filter' }).waitFor();
      await tabTo('combobox', 'Filter: how its conditions count');
      await press('Enter', 'ArrowDown', 'Enter');
      // Alerts were what the groups were reached over, and are their first condition.
      await tabTo('button', 'Add condition to filter');
      await press('Enter');
      await tabTo('combobox', 'Event types of condition 2', 'backwards');
      await type('purge gprs');
      await press('ArrowDown', 'Enter', 'Escape');
      await tabTo('combobox', 'Begin with');
      await press('Enter', 'ArrowDown', 'Enter');
      await tabTo('button', 'Next: destination');
      await press('Enter');

      await page.getByRole('form', { name: 'Destination' }).waitFor();
      await tabTo('textbox', 'URL');
      await type(`${world.receiver.url}/in`);
      await tabTo('button', 'Test connection');
      await press('Space');
      await page.getByText('The address answers', { exact: true }).waitFor();
      await tabTo('button', 'Create');
      await press('Enter');

      await page.getByRole('article', { name: 'By keyboard' }).waitFor();
      const token = await world.api.authenticate(7);
      const [made] = JSON.parse((await world.api.call('GET', '/api/v2/data_stream', token)).text) as {
        filters: unknown;
      }[];
      assert.deepEqual(made?.filters, [
        {
          any: [
            { field: 'alert', value: true },
            { field: 'event_type_id', value: [16] },
          ],
        },
      ]);
      await tabTo('switch', 'By keyboard is on');
      await press('Space');
      await page.getByText('Paused', { exact: true }).waitFor();
      await tabTo('link', 'Details of By keyboard');
      await press('Enter');

      await page.getByRole('heading', { name: 'By keyboard' }).waitFor();
      await tabTo('tab', 'Overview');
      await press(...Array.from({ length: 5 }, () => 'ArrowRight'));
      await page.getByRole('tab', { name: 'Settings', selected: true }).waitFor();
      await tabTo('textbox', 'Name');
      await press('End');
      await type(' only');
      await press('Enter');
      await page.getByRole('heading', { name: 'By keyboard only' }).waitFor();

      await tabTo('button', 'Delete', 'backwards');
      await press('Enter');
      await page.getByRole('dialog').waitFor();
      await tabTo('button', 'Delete');
      await press('Enter');
      await page.getByText('You have no data streams yet').waitFor();
      assert.deepEqual(faults, []);
      await page.context().close();
    });
  });
}

function keysOf(page: Page) {
  const press = async (...keys: string[]) => {
    for (const key of keys) {
      await page.keyboard.press(key);
      // A list that opens, or a view that changes, takes the focus with the next frame.
      await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))');
    }
  };
  return {
    press,
    type: (text: string) => page.keyboard.type(text),
    /** Presses Tab until the element has the focus, which must then be seen. */
    tabTo: async (role: Parameters<Page['getByRole']>[0], name: string, way: 'backwards' | 'on' = 'on') => {
      const seen: string[] = [];
      for (let tab = 0; tab < MOST_TABS; tab++) {
        const here = page.locator(':focus').and(page.getByRole(role, { name, exact: true }));
        if ((await here.count()) > 0) {
          assert.ok(await isFocusShown(page), `${role} ${name} shows that it has the focus`);
          return;
        }
        seen.push(String(await page.evaluate(FOCUSED)));
        await press(way === 'on' ? 'Tab' : 'Shift+Tab');
      }
      assert.fail(`${role} ${name} is not reached: ${seen.join(' | ')}`);
    },
  };
}

const FOCUSED = `document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent.slice(0, 40)`;

/** An outline, a border or a shadow that is there because of the focus, on the element or on what stands for it. */
async function isFocusShown(page: Page): Promise<boolean> {
  return Boolean(
    await page.evaluate(`(() => {
      const element = document.activeElement;
      if (!element.matches(':focus-visible')) return false;
      const places = [element, element.parentElement, element.nextElementSibling, element.closest('[data-focused], .mantine-Input-wrapper, .mantine-PillsInput-input, .mantine-MultiSelect-input')];
      const looks = () => places.map((place) => {
        if (!place) return '';
        // Colours that change slowly are looked at when they have.
        for (const transition of place.getAnimations()) transition.finish();
        const { outlineStyle, outlineWidth, borderColor, boxShadow } = getComputedStyle(place);
        return [outlineStyle, outlineWidth, borderColor, boxShadow].join();
      }).join();
      const focused = looks();
      element.blur();
      const blurred = looks();
      element.focus({ focusVisible: true });
      return focused !== blurred;
    })()`),
  );
}
