import { existsSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { type Browser, chromium } from 'playwright-core';

const PATHS = [
  process.env.CHROMIUM_PATH ?? '',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];
const HOW_TO_INSTALL =
  'No Chromium was found. Install one (Debian: apt-get install -y --no-install-recommends chromium), or name it in CHROMIUM_PATH.';

/** The machine's own Chromium, headless; undefined where there is none, which in CI is an error. */
export async function launchChromium(): Promise<Browser | undefined> {
  const executablePath = PATHS.find((path) => path !== '' && existsSync(path));
  if (executablePath === undefined) {
    if (process.env.CI) throw new Error(HOW_TO_INSTALL);
    return undefined;
  }
  return chromium.launch({
    executablePath,
    headless: true,
    // As root, in a container, there is no sandbox to be had; the pages are our own.
    chromiumSandbox: false,
    args: [
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/** Launches Chromium for a test, or skips it and says how to install one. */
export async function chromiumFor(t: Pick<TestContext, 'skip'>): Promise<Browser | undefined> {
  const browser = await launchChromium();
  if (!browser) t.skip(HOW_TO_INSTALL);
  return browser;
}
