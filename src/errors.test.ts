import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { ApiError, ERRORS, type ErrorToken, faultsToError } from './errors.ts';

const root = new URL('..', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');
const tokens = Object.keys(ERRORS) as ErrorToken[];

/** Rows of the table in docs/errors.md: code, token as it is answered, status, message. */
function documented(): string[] {
  const rows = read('docs/errors.md').matchAll(/^\| (\d{4}) \| `(\w+)` \| (\d{3}) \| ([^|]+) \|/gm);
  return [...rows].map(([, code, token, status, message]) => [code, token, status, message].join(' '));
}

describe('the table of errors', () => {
  test('is the one in docs/errors.md, row by row', () => {
    const expected = tokens.map((token) => {
      const { code, status, message } = ERRORS[token];
      return [code, new ApiError(token).body().error_token, status, message].join(' ');
    });
    assert.deepEqual(documented(), expected);
  });

  test('has no entry that nothing answers with', () => {
    const sources = globSync('src/**/*.ts', { cwd: root })
      .filter(
        (path) => !path.endsWith('.test.ts') && !path.endsWith('.fixture.ts') && path !== 'src/errors.ts',
      )
      // Where errors are listed for the documentation, none is made.
      .map((path) => read(path).replace(/errors: \[[^\]]*\]/g, ''));
    const unused = tokens.filter((token) => !sources.some((text) => text.includes(`'${token}'`)));
    assert.deepEqual(unused, []);
  });

  test("codes above 9000 are simstream's own; the others are emnify's, each with one token", () => {
    const byCode = new Map<number, string>();
    for (const token of tokens) {
      const name = new ApiError(token).body().error_token;
      assert.equal(byCode.get(ERRORS[token].code) ?? name, name);
      byCode.set(ERRORS[token].code, name);
    }
    assert.deepEqual(
      [...byCode.keys()].filter((code) => code > 9000),
      [9001, 9002, 9003, 9004, 9005, 9006],
    );
  });
});

describe('faults', () => {
  const one = { token: 'Required', path: '/name', message: 'is missing' } as const;

  test('one is itself, with its place', () => {
    assert.deepEqual(faultsToError([one]).body(), {
      error_code: 1402,
      error_token: 'Required',
      message: '/name: is missing',
      errors: [{ error_code: 1402, error_token: 'Required', message: 'is missing', path: '/name' }],
    });
  });

  test('several are InputValidationFailed, each in errors[]', () => {
    const body = faultsToError([one, { ...one, token: 'OutOfRange', path: '' }]).body();
    assert.deepEqual(
      [body.error_code, body.message, body.errors?.length],
      [1400, '2 fields are invalid: /name, /.', 2],
    );
  });
});
