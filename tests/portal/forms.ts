import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { buildPortal } from '../../scripts/build-portal.ts';
import { destinationTypes } from '../../src/destinations/all.ts';
import { connectorSamples } from '../../src/destinations/samples.fixture.ts';
import { chromiumFor } from '../support/browser.ts';
import { go } from '../support/portal-views.ts';
import { explainFailure, openWindow, signIn } from '../support/portal-window.ts';
import { type PortalWorld, startPortalWorld } from '../support/portal-world.ts';

export function formTests(): void {
  describe('the form of a new data stream', { concurrency: 1 }, () => {
    let world: PortalWorld;
    let browser: Browser | undefined;
    let page: Page;
    before(async () => {
      await buildPortal();
      world = await startPortalWorld({
        SIMSTREAM_AWS_PRINCIPAL: '210987654321',
        SIMSTREAM_GOOGLE_SERVICE_ACCOUNT: 'streams@example.iam.gserviceaccount.com',
      });
      await world.api.createOrganisation(7, 'Nordlicht');
      await world.addUser(7, 'ada');
    });
    afterEach((t) => explainFailure(t, browser));
    after(async () => {
      await browser?.close();
      await world?.close();
    });

    const create = async () => {
      const answered = page.waitForResponse(
        (answer) =>
          answer.url().endsWith('/api/v2/data_stream') &&
          answer.request().method() === 'POST' &&
          // The portal waits and asks again.
          answer.status() !== 429,
      );
      await page.getByRole('button', { name: 'Create', exact: true }).click();
      return (await answered).status();
    };
    const faultOf = (name: string) =>
      page
        .locator('.mantine-InputWrapper-root', { has: page.locator(`[name="${name}"]`) })
        .locator('.mantine-InputWrapper-error');

    for (const connector of destinationTypes.values()) {
      const { connectionType, title, credentials } = connector;
      test(`${title}: each fault is shown at its field, and what was typed stays`, async (t) => {
        if (!browser) {
          browser = await chromiumFor(t);
          if (!browser) return;
          ({ page } = await openWindow(browser));
          await signIn(page, world.node.url, 'ada');
          await page.getByText('You have no data streams yet').waitFor();
        }
        const open = async () => {
          await go(page, '/data-streams');
          await page.getByText('You have no data streams yet').waitFor();
          await go(page, `/data-streams/new?type=${connectionType}&step=destination`);
          await page.getByRole('button', { name: 'Create', exact: true }).waitFor();
        };
        await open();
        assert.equal(await create(), 422);
        const { properties, required = [] } = credentials as unknown as {
          properties: Record<string, { default?: unknown }>;
          required?: string[];
        };
        const needed = required.filter((name) => properties[name]?.default === undefined);
        assert.ok(needed.length > 0);
        for (const name of needed) await faultOf(name).first().waitFor();

        for (const { type, at, says } of (await connectorSamples(connector)).typedWrongly) {
          await open();
          for (const [name, value] of Object.entries(type))
            await page.locator(`[name="${name}"]`).fill(value);
          assert.equal(await create(), 422);
          await faultOf(at).first().waitFor();
          assert.match(await faultOf(at).first().innerText(), says);
          for (const [name, value] of Object.entries(type)) {
            assert.equal(await page.locator(`[name="${name}"]`).inputValue(), value);
          }
        }
      });
    }

    test('the guides name the platform, and the external id of the organisation', async (t) => {
      if (!browser) return t.skip();
      for (const type of ['S3', 'AwsKinesis']) {
        await go(page, `/data-streams/new?type=${type}&step=destination`);
        const policy = page.getByRole('region', { name: 'Trust policy' });
        await policy.getByText('210987654321').waitFor();
        const [statement] = (JSON.parse(await policy.innerText()) as { Statement: unknown[] }).Statement;
        assert.deepEqual(statement, {
          Effect: 'Allow',
          Principal: { AWS: 'arn:aws:iam::210987654321:root' },
          Action: 'sts:AssumeRole',
          Condition: { StringEquals: { 'sts:ExternalId': 'org-7' } },
        });
      }
      await go(page, '/data-streams/new?type=PubSub&step=destination');
      const account = page.getByRole('region', { name: 'Service account' });
      await account.getByText('streams@example.iam.gserviceaccount.com').waitFor();
    });

    test('a destination that cannot be reached is told in plain words, and nothing is created', async (t) => {
      if (!browser) return t.skip();
      const { url } = world.receiver;
      await world.receiver.close();
      await go(page, '/data-streams/new?type=RestAPI&step=destination');
      await page.getByLabel('URL').fill(url);
      await page.getByRole('button', { name: 'Test connection' }).click();
      await page
        .getByRole('alert')
        .getByText(/refused|reach|connect/i)
        .waitFor();
      assert.equal(await create(), 422);
      await page
        .getByRole('alert')
        .getByText(/refused|reach|connect/i)
        .waitFor();
      assert.equal(await page.getByLabel('URL').inputValue(), url);
      await go(page, '/data-streams');
      await page.getByText('You have no data streams yet').waitFor();
    });

    test('a fault of the filters leads back to the step that has them', async (t) => {
      if (!browser) return t.skip();
      const filters = encodeURIComponent('[{"field":"colour..red","value":1}]');
      await go(
        page,
        `/data-streams/new?type=RestAPI&step=destination&kind=events&filter=custom&filters=${filters}`,
      );
      await page.getByLabel('URL').fill('https://example.com/');
      assert.equal(await create(), 422);
      await page
        .getByRole('form', { name: 'Source' })
        .getByText(/Must be a path of names/)
        .waitFor();
    });

    test('a thousand streams: the one that is looked for is found', async (t) => {
      if (!browser) return t.skip();
      const view = (index: number) => ({
        id: `id${index}`,
        name: `Stream ${index}`,
        destination: {
          connection_type: 'RestAPI',
          credentials: {},
          format: 'Json',
          target: 'https://example.com',
        },
        filters: [],
        data_stream_type: { id: 1, description: 'Usage' },
        relation_resolution: { id: 1, description: 'Own' },
        status: { id: 1, description: 'Running', message: 'Delivering.', since: '2026-01-01T00:00:00Z' },
        created: '2026-01-01T00:00:00Z',
        modified: '2026-01-01T00:00:00Z',
        last_error: null,
        retrying: null,
        progress: {
          delivered: index,
          filtered: 0,
          quarantined: 0,
          expired: 0,
          pending: 0,
          oldest_pending_at: null,
          last_delivered_at: null,
        },
        expired_hours: [],
      });
      const streams = Array.from({ length: 1000 }, (_, index) => view(index));
      let series = 0;
      await page.route('**/api/v2/data_stream', (route) => route.fulfill({ json: streams }));
      await page.route('**/series?*', (route) => {
        series++;
        return route.fulfill({ json: { step_seconds: 900, streams: [] } });
      });
      await go(page, '/api-access');
      await go(page, '/data-streams');
      await page.getByText('1,000 of 1,000 data streams').waitFor();
      await page.getByLabel('Search').fill('stream 777');
      await page.getByText('1 of 1,000 data streams').waitFor();
      assert.equal(await page.getByRole('article').count(), 1);
      assert.ok(series < 5, `charts are read in one call for what is in sight: ${series}`);
      await page.unrouteAll({ behavior: 'ignoreErrors' });
    });
  });
}
