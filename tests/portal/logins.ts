import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { Secret, TOTP } from 'otpauth';
import type { Browser, BrowserContext, Page, Route } from 'playwright-core';
import { buildPortal } from '../../scripts/build-portal.ts';
import { chromiumFor } from '../support/browser.ts';
import { go } from '../support/portal-views.ts';
import { explainFailure, openWindow, signIn } from '../support/portal-window.ts';
import { PASSWORD, type PortalWorld, startPortalWorld } from '../support/portal-world.ts';
import { waitFor } from '../support/wait-for.ts';

const LIST = ({ pathname }: URL) => pathname.endsWith('/api/v2/data_stream');
const stream = (url: string, name: string) => ({
  name,
  data_stream_type: { id: 2 },
  destination: { connection_type: 'RestAPI', credentials: { url }, format: 'Json' },
});

/** Slow answers, lost answers, several users and several tabs. */
export function loginTests(): void {
  describe('logins, tabs and slow answers, in a browser', { concurrency: 1 }, () => {
    let world: PortalWorld;
    let browser: Browser | undefined;
    let context: BrowserContext;
    let page: Page;
    before(async () => {
      await buildPortal();
      world = await startPortalWorld();
      for (const [id, name, user] of [
        [7, 'Nordlicht', 'ada'],
        [8, 'Southern Fleet', 'ben'],
      ] as const) {
        await world.api.createOrganisation(id, name);
        await world.addUser(id, user);
        const token = await world.api.authenticate(id);
        await world.api.createStream(token, stream(`${world.receiver.url}/${user}`, `Stream of ${user}`));
      }
      await world.addUser(7, 'olga', 'observer');
      await world.addUser(7, 'mia', 'observer');
    });
    afterEach((t) => explainFailure(t, browser));
    after(async () => {
      await browser?.close();
      await world?.close();
    });
    const fresh = async (user = 'ada') => {
      await context?.close();
      ({ context, page } = await openWindow(browser as Browser));
      await signIn(page, world.node.url, user);
      await page.getByRole('heading', { name: 'Data Streams' }).waitFor();
    };
    const signOut = async (user: string) => {
      await page.getByRole('button', { name: user, exact: true }).click();
      await page.getByRole('menuitem', { name: 'Sign out' }).click();
      await page.getByLabel('Username').waitFor();
    };

    test('a list that one user asked for is not shown to the next one on the same tab', async (t) => {
      browser = await chromiumFor(t);
      if (!browser) return;
      await fresh('ada');
      await page.getByRole('article', { name: 'Stream of ada' }).waitFor();
      // The next reading of the list is answered only once somebody else has signed in.
      const held = Promise.withResolvers<Route>();
      await page.route(LIST, (route) => held.resolve(route), { times: 1 });
      const route = await held.promise;
      const answer = await route.fetch();
      await signOut('ada');
      await page.getByLabel('Username').fill('ben');
      await page.getByRole('textbox', { name: 'Password' }).fill(PASSWORD);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('article', { name: 'Stream of ben' }).waitFor();
      await route.fulfill({ response: answer }).catch(() => undefined);
      await page.evaluate('new Promise((done) => setTimeout(done, 500))');
      assert.equal(await page.getByText('Stream of ada').count(), 0);
      await page.goBack();
      await page.evaluate('new Promise((done) => setTimeout(done, 100))');
      assert.equal(await page.getByText('Stream of ada').count(), 0);
    });

    test('a new tab needs no password while another one is signed in, and all are signed out together', async (t) => {
      if (!browser) return t.skip();
      await fresh('ada');
      const second = await context.newPage();
      await second.goto(`${world.node.url}/api-access`);
      await second.getByRole('heading', { name: 'API', level: 1 }).waitFor();
      const stored = 'JSON.stringify(localStorage) + document.cookie';
      assert.doesNotMatch(String(await second.evaluate(stored)), /eyJ/);
      await signOut('ada');
      await second.getByText('You signed out in another tab').waitFor();
      const third = await context.newPage();
      await third.goto(world.node.url);
      await third.getByLabel('Username').waitFor();
    });

    test('a user changes the own password, stays signed in, and the old one is of no use', async (t) => {
      if (!browser) return t.skip();
      await world.addUser(7, 'eve');
      await fresh('eve');
      await page.getByRole('button', { name: 'eve', exact: true }).click();
      await page.getByRole('menuitem', { name: 'My account' }).click();
      const fill = async (present: string, next: string, again = next) => {
        await page.getByRole('textbox', { name: 'Present password' }).fill(present);
        await page.getByRole('textbox', { name: 'New password', exact: true }).fill(next);
        await page.getByRole('textbox', { name: 'New password again' }).fill(again);
        await page.getByRole('button', { name: 'Change password' }).click();
      };
      await fill(PASSWORD, 'too short');
      await page.getByText('Give at least 10 characters').waitFor();
      await fill(PASSWORD, 'a new password', 'another one');
      await page.getByText('Give the same password as above').waitFor();
      const calls: number[] = [];
      page.on('response', (answer) => {
        if (answer.url().endsWith('/user/my') && answer.request().method() === 'PATCH')
          calls.push(answer.status());
      });
      await fill('not the present one', 'a new password');
      await page.getByText('The password is not changed').waitFor();
      assert.deepEqual(calls, [401], 'a wrong password is tried once');
      await fill(PASSWORD, 'a new password');
      await page.getByText('The password is changed.').waitFor();
      await page.getByRole('link', { name: 'API', exact: true }).click();
      await page.getByRole('button', { name: 'Create token' }).waitFor();
      await page.reload();
      await page.getByRole('heading', { name: 'API', level: 1 }).waitFor();
      await signOut('eve');
      await page.getByLabel('Username').fill('eve');
      await page.getByRole('textbox', { name: 'Password' }).fill(PASSWORD);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByText('You are not signed in').waitFor();
      await page.getByRole('textbox', { name: 'Password' }).fill('a new password');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('heading', { name: 'Data Streams' }).waitFor();
    });

    test('an administrator adds a user, changes the role, suspends and removes the user', async (t) => {
      if (!browser) return t.skip();
      await fresh('ada');
      await page.getByRole('button', { name: 'ada', exact: true }).click();
      await page.getByRole('menuitem', { name: 'Users' }).click();
      const form = page.getByRole('region', { name: 'New user' });
      const add = async (username: string) => {
        await form.getByLabel('Username').fill(username);
        await form.getByRole('textbox', { name: 'First password' }).fill('a first password');
        await form.getByRole('button', { name: 'Add user' }).click();
      };
      await add('ben');
      await page.getByText('The user is not added').waitFor();
      await add('finn');
      await page.getByText('finn can sign in now.').waitFor();
      const row = page.getByRole('row', { name: /^finn/ });
      await row.getByText('User', { exact: true }).waitFor();
      await row.getByRole('button', { name: 'Change finn' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByRole('combobox', { name: 'Role' }).click();
      await page.getByRole('option', { name: /^Observer/ }).click();
      await dialog.getByRole('button', { name: 'Save' }).click();
      await row.getByText('Observer', { exact: true }).waitFor();
      const other = await openWindow(browser);
      await signIn(other.page, world.node.url, 'finn', 'a first password');
      await other.page.getByRole('article', { name: 'Stream of ada' }).waitFor();
      await row.getByRole('button', { name: 'Suspend finn' }).click();
      await row.getByText('Suspended', { exact: true }).waitFor();
      await other.page.getByLabel('Username').waitFor();
      await other.context.close();
      await row.getByRole('button', { name: 'Remove finn' }).click();
      await dialog.getByRole('button', { name: 'Remove' }).click();
      await row.waitFor({ state: 'detached' });
      assert.equal(await page.getByRole('button', { name: 'Remove ada' }).count(), 0);
    });

    test('a reload while the node does not answer keeps the login', async (t) => {
      if (!browser) return t.skip();
      await fresh('ada');
      await page.route('**/api/v1/authenticate', (route) =>
        route.fulfill({ status: 503, json: { message: 'The node is starting.' } }),
      );
      await page.reload();
      await page.getByText('You are still signed in').waitFor();
      await page.getByText('The node is starting.').waitFor();
      await page.unroute('**/api/v1/authenticate');
      await page.getByRole('button', { name: 'Try again now' }).click();
      await page.getByRole('article', { name: 'Stream of ada' }).waitFor();
    });

    test('a part of the page that is gone says so, and a reload helps', async (t) => {
      if (!browser) return t.skip();
      await fresh('ada');
      await page.route('**/assets/api-access-*.js', (route) => route.fulfill({ status: 404 }));
      await page.getByRole('link', { name: 'API', exact: true }).click();
      await page.getByRole('heading', { name: 'The portal was updated' }).waitFor();
      await page.unroute('**/assets/api-access-*.js');
      await page.getByRole('button', { name: 'Reload the page' }).click();
      await page.getByRole('heading', { name: 'API', level: 1 }).waitFor();
    });

    test('a late answer to a creation does not pull the reader back; its notice links to the stream', async (t) => {
      if (!browser) return t.skip();
      await fresh('ada');
      await go(page, '/data-streams/new?type=RestAPI&name=Late&step=destination');
      await page.getByLabel('URL').fill(`${world.receiver.url}/late`);
      const held = Promise.withResolvers<Route>();
      await page.route(LIST, (route) =>
        route.request().method() === 'POST' ? held.resolve(route) : route.continue(),
      );
      await page.getByRole('button', { name: 'Create', exact: true }).click();
      const route = await held.promise;
      await page.getByRole('link', { name: 'API', exact: true }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Leave' }).click();
      await page.getByRole('heading', { name: 'API', level: 1 }).waitFor();
      await route.continue();
      await page.getByText('Late is created.').waitFor();
      assert.equal(new URL(page.url()).pathname, '/api-access');
      await page.getByRole('link', { name: 'Show the data stream' }).click();
      await page.getByRole('heading', { name: 'Late', level: 1 }).waitFor();
    });

    test('a switch stays where it was put while older lists come in', async (t) => {
      if (!browser) return t.skip();
      await fresh('ada');
      const card = page.getByRole('article', { name: 'Stream of ada' });
      const held = Promise.withResolvers<Route>();
      await page.route(LIST, (route) => held.resolve(route), { times: 1 });
      const route = await held.promise;
      const older = await route.fetch();
      const knob = card.getByRole('switch');
      await knob.press('Space');
      await card.getByText('Paused', { exact: true }).waitFor();
      await route.fulfill({ response: older }).catch(() => undefined);
      for (let look = 0; look < 10; look++) {
        assert.equal(await knob.isChecked(), false);
        await page.evaluate('new Promise((done) => setTimeout(done, 50))');
      }
    });

    test('what a test found is gone once the form says something else', async (t) => {
      if (!browser) return t.skip();
      await fresh('ada');
      await go(page, '/data-streams/new?type=RestAPI&step=destination');
      await page.getByLabel('URL').fill(`${world.receiver.url}/one`);
      await page.getByRole('button', { name: 'Test connection' }).click();
      await page.getByText('No request was sent').waitFor();
      await page.getByLabel('URL').fill(`${world.receiver.url}/two`);
      assert.equal(await page.getByText('No request was sent').count(), 0);
      const held = Promise.withResolvers<Route>();
      await page.route('**/api/v2/data_stream/test', (route) => held.resolve(route), { times: 1 });
      await page.getByRole('button', { name: 'Test connection' }).click();
      const route = await held.promise;
      await page.getByRole('button', { name: 'Create', exact: true, disabled: true }).waitFor();
      await page.getByLabel('URL').fill(`${world.receiver.url}/three`);
      await page.getByRole('button', { name: 'Create', exact: true, disabled: false }).waitFor();
      await route
        .fulfill({ json: { reachable: true, target: 'x', checked: 'access', message: 'of two' } })
        .catch(() => undefined);
      await page.evaluate('new Promise((done) => setTimeout(done, 200))');
      assert.equal(await page.getByText('of two').count(), 0);
    });

    test('the focus goes to the heading of each view, the first fault of a form, and the title says where one is', async (t) => {
      if (!browser) return t.skip();
      await fresh('ada');
      const focused = () =>
        page.evaluate("document.activeElement.textContent + '|' + (document.activeElement.name ?? '')");
      const isThere = (heading: string) =>
        waitFor(`the focus on ${heading}, and its title`, async () => {
          const there = `${await focused()} ${await page.title()}`;
          return there === `${heading}| ${heading} · simstream` || undefined;
        });
      await isThere('Data Streams');
      await page.getByRole('link', { name: 'Add new data stream' }).click();
      await isThere('Add new data stream');
      await go(page, '/data-streams/new?type=S3&step=destination');
      await page.getByRole('button', { name: 'Create', exact: true }).click();
      await page.locator('[aria-invalid="true"]').first().waitFor();
      const isInvalid = () =>
        page.evaluate<boolean>("document.activeElement.getAttribute('aria-invalid') === 'true'");
      await waitFor('the focus on the first fault', async () => (await isInvalid()) || undefined);
      await go(page, '/api-access');
      await isThere('API');
    });

    test('a new token is not lost with the Escape key', async (t) => {
      if (!browser) return t.skip();
      await fresh('ada');
      await go(page, '/api-access');
      await page.getByRole('button', { name: 'Create token' }).click();
      const token = page.getByRole('region', { name: 'Application token', exact: true });
      await token.waitFor();
      await page.keyboard.press('Escape');
      await page.getByText('Have you copied the token?').waitFor();
      assert.ok(await token.isVisible());
      await page.getByRole('button', { name: 'I have copied it' }).click();
      await token.waitFor({ state: 'detached' });
    });

    test('an observer who opens the settings sees the overview; an unknown address is a page', async (t) => {
      if (!browser) return t.skip();
      const token = await world.api.authenticate(7);
      const { text } = await world.api.call('GET', '/api/v2/data_stream', token);
      const id = (JSON.parse(text) as { id: string }[])[0]?.id;
      await fresh('olga');
      await go(page, `/data-streams/${id}?tab=settings`);
      await page.getByRole('tab', { name: 'Overview', selected: true }).waitFor();
      const answer = await page.goto(`${world.node.url}/no/such/page`);
      assert.equal(answer?.status(), 404);
      await page.getByRole('heading', { name: 'This page does not exist' }).waitFor();
    });

    test('when the node limits calls the page says so and asks less often', async (t) => {
      if (!browser) return t.skip();
      await fresh('ada');
      await page.getByRole('article', { name: 'Stream of ada' }).waitFor();
      await page.route(LIST, (route) =>
        route.fulfill({ status: 429, headers: { 'retry-after': '1' }, json: { message: 'Too many.' } }),
      );
      await page.getByText('Too many calls at the moment').waitFor();
      assert.equal(await page.getByText('This list is not up to date').count(), 0);
      await page.unroute(LIST);
    });

    test('a second factor is set up with a code, asked for at the next login, and removed', async (t) => {
      if (!browser) return t.skip();
      await fresh('mia');
      await page.getByRole('button', { name: 'mia', exact: true }).click();
      await page.getByRole('menuitem', { name: 'My account' }).click();
      await page.getByRole('heading', { name: 'My account', level: 1 }).waitFor();
      const field = page.getByRole('textbox', { name: 'Your password' });
      await field.fill('wrong');
      await page.getByRole('button', { name: 'Set up', exact: true }).click();
      await page.getByText('User name or password is wrong.').waitFor();
      await field.fill(PASSWORD);
      await page.getByRole('button', { name: 'Set up', exact: true }).click();
      await page.getByRole('img', { name: 'QR code of the key' }).waitFor();
      const textOf = async (name: string) =>
        (await page.getByRole('region', { name, exact: true }).innerText()).trim();
      const secret = Secret.fromBase32(await textOf('Key'));
      const codeOf = (steps: number) =>
        new TOTP({ secret }).generate({ timestamp: Date.now() + steps * 30_000 });
      const [recovery = '', other = ''] = (await textOf('Recovery codes')).split('\n');
      const code = page.getByRole('textbox', { name: /code/i });
      await code.fill('000000');
      await page.getByRole('button', { name: 'Activate' }).click();
      await page.getByText('Is not the present code').waitFor();
      // The step before is taken too: what a slow test types is never too late.
      await code.fill(codeOf(0));
      await page.getByRole('button', { name: 'Activate' }).click();
      await page.getByText('10 of your recovery codes are left').waitFor();
      await page.getByText('The second factor is active.').waitFor();

      await signOut('mia');
      const enter = async () => {
        await page.getByLabel('Username').fill('mia');
        await page.getByRole('textbox', { name: 'Password' }).fill(PASSWORD);
        await page.getByRole('button', { name: 'Sign in' }).click();
        await page.getByRole('textbox', { name: 'Code' }).waitFor();
      };
      await enter();
      await page.getByRole('textbox', { name: 'Code' }).fill('000000');
      await page.getByRole('button', { name: 'Continue' }).click();
      await page.getByText('The code is wrong').waitFor();
      await page.getByRole('button', { name: 'Start again' }).click();
      await enter();
      await page.getByRole('textbox', { name: 'Code' }).fill(recovery);
      await page.getByRole('button', { name: 'Continue' }).click();
      await page.getByRole('heading', { name: 'Data Streams' }).waitFor();

      await go(page, '/account');
      await page.getByText('9 of your recovery codes are left').waitFor();
      await page.getByRole('button', { name: 'Remove…' }).click();
      await field.fill(PASSWORD);
      await page.getByRole('textbox', { name: 'Code' }).fill(other);
      await page.getByRole('button', { name: 'Remove the second factor' }).click();
      await page.getByRole('button', { name: 'Set up', exact: true }).waitFor();
    });

    test('an organisation requires a second factor: it is set up at the login, and a trusted browser is not asked', async (t) => {
      if (!browser) return t.skip();
      await world.api.createOrganisation(9, 'Strict Fleet');
      await world.addUser(9, 'ina');
      await world.addUser(9, 'leo', 'observer');
      const textOf = async (name: string) =>
        (await page.getByRole('region', { name, exact: true }).innerText()).trim();
      /** Types the code of the key that is shown, and gives the recovery codes. */
      const activate = async () => {
        await page.getByRole('img', { name: 'QR code of the key' }).waitFor();
        const totp = new TOTP({ secret: Secret.fromBase32(await textOf('Key')) });
        const recovery = (await textOf('Recovery codes')).split('\n');
        await page.getByRole('textbox', { name: /code that the app shows/i }).fill(totp.generate());
        await page.getByRole('button', { name: 'Activate' }).click();
        return recovery;
      };
      await fresh('ina');
      await go(page, '/users');
      const required = page.getByRole('switch', { name: 'Require a second factor of all users' });
      await required.click();
      await page.getByText('Set up your own second factor first').waitFor();
      await go(page, '/account');
      await page.getByRole('textbox', { name: 'Your password' }).fill(PASSWORD);
      await page.getByRole('button', { name: 'Set up', exact: true }).click();
      await activate();
      await page.getByText('The second factor is active.').waitFor();
      await go(page, '/users');
      await required.click();
      await page.getByText('Everybody needs a second factor now.').waitFor();
      await signOut('ina');

      const signInAgain = async () => {
        await page.getByLabel('Username').fill('leo');
        await page.getByRole('textbox', { name: 'Password' }).fill(PASSWORD);
        await page.getByRole('button', { name: 'Sign in' }).click();
      };
      await signInAgain();
      await page.getByRole('heading', { name: 'Set up a second factor' }).waitFor();
      const [recovery = ''] = await activate();
      await page.getByRole('heading', { name: 'Data Streams' }).waitFor();
      await signOut('leo');
      await signInAgain();
      await page.getByRole('checkbox', { name: 'Do not ask for a code in this browser for 90 days' }).check();
      await page.getByRole('textbox', { name: 'Code' }).fill(recovery);
      await page.getByRole('button', { name: 'Continue' }).click();
      await page.getByRole('heading', { name: 'Data Streams' }).waitFor();
      await signOut('leo');
      await signInAgain();
      await page.getByRole('heading', { name: 'Data Streams' }).waitFor();
    });

    test('a name that would turn the text around is shown as it is written', async (t) => {
      if (!browser) return t.skip();
      const token = await world.api.authenticate(8);
      const name = 'Order \u202Eevil';
      await world.api.createStream(token, stream(`${world.receiver.url}/bidi`, name)).catch(() => undefined);
      await fresh('ben');
      await page.getByRole('article', { name: 'Stream of ben' }).waitFor();
      assert.ok(!(await page.getByRole('main').innerText()).includes('\u202E'));
    });
  });
}
