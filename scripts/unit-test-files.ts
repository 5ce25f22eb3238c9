import { describe } from 'node:test';
import { pathToFileURL } from 'node:url';

/**
 * Runs the test files that are its arguments in this process, each as a suite of its own: what a file's `before`,
 * `beforeEach` and so on set up is for this file alone. With `node --test --test-isolation=none` they would be for all files.
 */
for (const file of process.argv.slice(2)) {
  const url = pathToFileURL(file).href;
  describe(file, () => import(url));
}
