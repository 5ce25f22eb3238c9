import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { chromiumFor } from './support/browser.ts';
import { OPERATOR_TOKEN, startNode } from './support/node-process.ts';
import { removeDirectory, temporaryDirectory } from './support/owned.ts';

const PASSWORD = 'correct horse battery';

test('what the page of the API fills in works when it is executed', { timeout: 300_000 }, async (t) => {
  const browser = await chromiumFor(t);
  if (!browser) return;
  const dataDirectory = temporaryDirectory();
  const node = await startNode({ dataDirectory, command: 'demo' });
  t.after(async () => {
    await browser.close();
    await node.kill();
    removeDirectory(dataDirectory);
  });
  const post = async (path: string, body: object, token?: string) => {
    const headers = {
      'content-type': 'application/json',
      ...(token ? { authorization: `Bearer ${token}` } : {}),
    };
    return (await fetch(node.url + path, { method: 'POST', headers, body: JSON.stringify(body) })).json();
  };
  await post('/operator/v1/organisations', { id: 7, name: 'Seven' }, OPERATOR_TOKEN);
  await post('/operator/v1/organisations/7/users', { username: 'ada', password: PASSWORD }, OPERATOR_TOKEN);
  const password = createHash('sha1').update(PASSWORD).digest('hex');
  const { auth_token: token } = (await post('/api/v1/authenticate', { username: 'ada', password })) as {
    auth_token: string;
  };

  const page = await browser.newPage();
  await page.goto(`${node.url}/api/docs`);
  await page.locator('.opblock').first().waitFor();
  await authorize(page, { customer: token, operator: OPERATOR_TOKEN });

  const expected: readonly [operationId: string, status: number][] = [
    ['CreateDataStreamer', 201],
    ['TestDataStream', 200],
    ['ListDataStreamerV2s', 200],
    ['GetDataStreamerConnectionType', 200],
    ['CreateApplicationToken', 200],
    // Nobody can be shown a password that logs in; but what is filled in is well formed.
    ['Authenticate', 401],
    ['CreateOrganisation', 201],
    ['IngestEvents', 202],
    ['IngestUsageRecords', 202],
  ];
  for (const [operationId, status] of expected) {
    assert.equal(await execute(page, operationId), status, operationId);
  }
  // A PATCH needs the id of a stream; all else is as it is filled in.
  const [stream] = (await (
    await fetch(`${node.url}/api/v2/data_stream`, { headers: { authorization: `Bearer ${token}` } })
  ).json()) as { id: string }[];
  assert.equal(await execute(page, 'PatchV2DataStream', stream?.id), 202);
});

async function authorize(page: Page, tokens: Readonly<Record<string, string>>): Promise<void> {
  await page.locator('button.authorize').first().click();
  for (const [scheme, token] of Object.entries(tokens)) {
    const form = page.locator('.auth-container', { hasText: scheme });
    await form.locator('input').fill(token);
    await form.locator('button.authorize').click();
  }
  await page.locator('button.btn-done').first().click();
}

/** Presses *Execute* in the box of a call, with what is filled in. */
async function execute(page: Page, operationId: string, id?: string): Promise<number> {
  const box = page.locator(`.opblock[id$="-${operationId}"]`);
  await box.locator('.opblock-summary-control').click();
  if (id !== undefined) await box.locator('.parameters input').first().fill(id);
  await box.locator('button.execute').click();
  const status = box.locator('.live-responses-table .response .response-col_status').first();
  await status.waitFor();
  return Number.parseInt((await status.textContent()) ?? '', 10);
}
