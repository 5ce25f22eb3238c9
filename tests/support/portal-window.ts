import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { PASSWORD } from './portal-world.ts';
import { waitFor } from './wait-for.ts';

/** A busy machine takes many seconds for what takes one elsewhere; only a test that fails waits so long, ms. */
const PATIENCE = 60_000;
/** Calls that a failure names. */
const CALLS_KEPT = 25;
const TEXT_KEPT = 3_000;
/** A page that hangs must not hide the failure, ms. */
const ASKED_FOR = 5_000;

/** Answers of the API, newest last. */
const calls = new WeakMap<Page, string[]>();

/** A fresh window of the browser; what goes wrong in the page is kept in `faults`. */
export async function openWindow(
  browser: Browser,
  options: Parameters<Browser['newContext']>[0] = {},
): Promise<{ context: BrowserContext; page: Page; faults: string[] }> {
  const context = await browser.newContext({ reducedMotion: 'reduce', ...options });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => {
    const expected = /status of (4\d\d|5\d\d)/.test(message.text());
    if (message.type() === 'error' && !expected) faults.push(message.text());
  });
  keepCalls(page);
  return { context, page, faults };
}

export async function signIn(page: Page, url: string, username: string, password = PASSWORD): Promise<void> {
  await page.goto(url);
  await page.getByLabel('Username').fill(username);
  await page.getByRole('textbox', { name: 'Password' }).fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/**
 * Waits for a message of the page and closes it. Messages go by themselves after some seconds, and two of the same words cannot
 * be told apart: a test that leaves them where they are depends on how fast it runs.
 */
export async function noticed(page: Page, text: string): Promise<void> {
  // In one step: between two, the message may go.
  const close = `(() => {
    const messages = [...document.querySelectorAll('[aria-label="Messages"] > *')];
    const message = messages.find((each) => each.textContent.includes(${JSON.stringify(text)}));
    message?.querySelector('[aria-label="Close message"]').click();
    return message !== undefined;
  })()`;
  await waitFor(`the message ${text}`, async () => (await page.evaluate(close)) || undefined, PATIENCE, 50);
}

/** Keeps the newest message where it is, until something else has the focus. */
export async function holdNotice(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Show as API call' }).last().focus();
}

/** Where the page is, what stands there, and what the node answered last: what one needs to understand a failure. */
export async function whatIsShown(page: Page): Promise<string> {
  const asked = page.evaluate(`(() => {
    const places = [...document.querySelectorAll('[role="dialog"], [aria-label="Messages"], main')];
    const texts = (places.length > 0 ? places : [document.body]).map((place) => place.innerText.trim());
    return texts.filter((text) => text !== '').join('\\n--\\n');
  })()`);
  const text = await Promise.race([
    asked.then(String, (error: unknown) => `(the page cannot be read: ${String(error)})`),
    sleep(ASKED_FOR, '(the page does not answer)', { ref: false }),
  ]);
  return [
    `--- the page at ${page.url()} ---`,
    text.slice(0, TEXT_KEPT),
    '--- its last calls ---',
    ...(calls.get(page) ?? []),
  ].join('\n');
}

/** For `afterEach`: says what the open pages of a browser show, if the test failed. */
export async function explainFailure(
  test: { readonly passed?: boolean; diagnostic?(text: string): void },
  browser: Browser | undefined,
): Promise<void> {
  if (test.passed !== false || !browser) return;
  for (const page of browser.contexts().flatMap((context) => context.pages()))
    test.diagnostic?.(await whatIsShown(page));
}

function keepCalls(page: Page): void {
  const kept: string[] = [];
  calls.set(page, kept);
  const keep = (url: string, method: string, end: string | number) => {
    const { pathname, search } = new URL(url);
    if (!pathname.startsWith('/api/')) return;
    kept.push(`${method} ${pathname}${search}: ${end}`);
    if (kept.length > CALLS_KEPT) kept.shift();
  };
  page.on('response', (answer) => keep(answer.url(), answer.request().method(), answer.status()));
  page.on('requestfailed', (request) =>
    keep(request.url(), request.method(), request.failure()?.errorText ?? 'failed'),
  );
}
