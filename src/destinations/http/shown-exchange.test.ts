import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import type { Exchange } from '../contract.ts';
import { type Noting, note } from './shown-exchange.ts';

const asked = {
  method: 'POST',
  url: new URL('https://example.com/in?code=geheim'),
  headers: ['content-type', 'application/json', 'Authorization', 'Bearer geheim', 'X-Key', 'k1'],
  body: Buffer.from('[{"id":1}]'),
};
const answered = { status: 503, headers: { 'retry-after': '7', 'set-cookie': ['a=b'] }, text: 'later' };

function noted(
  more: Partial<Noting> = {},
  { of = asked, by = answered as Parameters<typeof note>[2], failuresOnly = false } = {},
): Exchange | undefined {
  const exchanges: Exchange[] = [];
  const notes = { failuresOnly, note: (exchange: Exchange) => exchanges.push(exchange) };
  note({ notes, secrets: [], ...more }, of, by);
  return exchanges[0];
}

describe('what is noted of a request', () => {
  test('values of headers are shown only where they hold no secret, and the query not at all', () => {
    assert.deepEqual(noted(), {
      method: 'POST',
      url: 'https://example.com/in',
      headers: [
        ['content-type', 'application/json'],
        ['Authorization', '***'],
        ['X-Key', '***'],
      ],
      body: { text: '[{"id":1}]', cut: false },
      answer: {
        status: 503,
        headers: [
          ['retry-after', '7'],
          ['set-cookie', '***'],
        ],
        body: { text: 'later', cut: false },
      },
    });
  });

  test('an answer that repeats a secret does not show it, also where it is cut', () => {
    const text = `you sent geheim, Bearer abcdefgh ${'x'.repeat(985)}geheim`;
    const { text: shown } = noted({ secrets: ['geheim'] }, { by: { ...answered, text } })?.answer?.body ?? {};
    assert.match(shown ?? '', /^you sent \*\*\*, Bearer \*\*\* x/);
    assert.doesNotMatch(shown ?? '', /geh/);
    assert.ok((shown ?? '').length <= 1024);
  });

  test('a long body is cut between two characters, whatever parts it has', () => {
    const text = `${'ä'.repeat(1500)}`;
    for (const cut of [1, 1000, 2047, 2049]) {
      const bytes = Buffer.from(text);
      const of = { ...asked, body: [bytes.subarray(0, cut), bytes.subarray(cut)] as never };
      assert.deepEqual(noted({}, { of })?.body, { text: 'ä'.repeat(1024), cut: true });
    }
  });

  test('of a compressed body the plain one is shown, of a stream nothing', () => {
    assert.deepEqual(noted({ plain: Buffer.from('{"series":[]}') })?.body, {
      text: '{"series":[]}',
      cut: false,
    });
    const of = { ...asked, body: Readable.from([]) as never };
    assert.deepEqual(noted({}, { of })?.body, { text: '', cut: true });
  });

  test('a success is left out where only failures are wanted; no answer is a failure', () => {
    const by = { ...answered, status: 204 };
    assert.equal(noted({}, { by, failuresOnly: true }), undefined);
    assert.equal(noted({}, { by })?.answer?.status, 204);
    assert.equal(noted({}, { failuresOnly: true })?.answer?.status, 503);
    const exchanges: Exchange[] = [];
    const notes = { failuresOnly: true, note: (exchange: Exchange) => exchanges.push(exchange) };
    note({ notes, secrets: [] }, asked, undefined);
    assert.equal(exchanges[0]?.answer, undefined);
    assert.equal(exchanges.length, 1);
  });

  test('headers are bounded', () => {
    const headers = Array.from({ length: 100 }, (_, n) => [`x-request-id`, 'v'.repeat(n * 10)]).flat();
    const shown = noted({}, { of: { ...asked, headers } })?.headers ?? [];
    assert.equal(shown.length, 30);
    assert.ok(shown.every(([, value]) => value.length <= 200));
  });
});
