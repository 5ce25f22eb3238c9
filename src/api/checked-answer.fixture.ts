import assert from 'node:assert/strict';
import type { TSchema } from 'typebox';
import Value from 'typebox/value';
import { ERRORS } from '../errors.ts';
import { errorsOf } from './openapi.ts';
import type { Route } from './route.ts';

export interface CallResult {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of all shapes.
  readonly body: any;
  readonly text: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

/**
 * An error has emnify's body and a status that its route documents; every other answer is one that its route
 * promises.
 */
export function checkAnswer(
  routes: readonly Route[],
  method: string,
  path: string | undefined,
  { status, body, text, headers }: CallResult,
): void {
  if (status >= 400) {
    assert.equal(typeof body?.error_code, 'number', text);
    assert.equal(typeof body.error_token, 'string', text);
    assert.equal(typeof body.message, 'string', text);
  }
  const route = routes.find((each) => each.method === method && each.path === path);
  if (!route) return;
  if (status >= 400) {
    const documented = [...errorsOf(route)].map((token) => ERRORS[token].status as number);
    assert.ok(documented.includes(status), `${route.operationId} does not document ${status}: ${text}`);
    return;
  }
  const promised = route.responses[status];
  assert.ok(promised, `${route.operationId} promises no ${status}`);
  if (!promised.schema) assert.equal(text, '', route.operationId);
  else if (promised.texts?.some((type) => String(headers['content-type']).startsWith(type))) return;
  else assert.ok(Value.Check(promised.schema as TSchema, body ?? text), `${route.operationId}: ${text}`);
}
