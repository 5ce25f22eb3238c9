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

/** @throws Error that says how to install one, where there is none */
export function chromiumPath(): string {
  const path = findChromium();
  if (path === undefined) throw new Error(HOW_TO_INSTALL);
  return path;
}

export function chromiumArguments(): string[] {
  return [
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ];
}

/** The machine's own Chromium, headless; undefined where there is none, which in CI is an error. */
export async function launchChromium(): Promise<Browser | undefined> {
  const executablePath = process.env.CI ? chromiumPath() : findChromium();
  if (executablePath === undefined) return undefined;
  return chromium.launch({
    executablePath,
    headless: true,
    // As root, in a container, there is no sandbox to be had; the pages are our own.
    chromiumSandbox: false,
    args: chromiumArguments(),
    // Several start at the same time, on a machine that may be busy.
    timeout: 120_000,
  });
}

function findChromium(): string | undefined {
  return PATHS.find((path) => path !== '' && existsSync(path));
}

/** Launches Chromium for a test, or skips it and says how to install one. */
export async function chromiumFor(t: Pick<TestContext, 'skip'>): Promise<Browser | undefined> {
  const browser = await launchChromium();
  if (!browser) t.skip(HOW_TO_INSTALL);
  return browser;
}
