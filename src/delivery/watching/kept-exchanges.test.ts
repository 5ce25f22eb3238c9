import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Exchange } from '../../destinations/contract.ts';
import { NotedRequests } from '../stream/noted-requests.ts';
import { KeptExchanges, PER_STREAM } from './kept-exchanges.ts';

const exchange = (status: number | undefined, text = ''): Exchange => ({
  method: 'POST',
  url: '',
  headers: [],
  body: { text, cut: false },
  answer: status === undefined ? undefined : { status, headers: [], body: { text: '', cut: false } },
});

describe('requests that are kept', () => {
  test('of a stream the last ones, and of all streams so many characters (E1)', () => {
    const kept = new KeptExchanges(100);
    for (let n = 0; n <= PER_STREAM; n++) kept.keep('a', `a${n}`, exchange(200));
    assert.equal(kept.get('a', 'a0'), undefined);
    assert.ok(kept.get('a', 'a1'));
    kept.keep('b', 'b0', exchange(200, 'x'.repeat(60)));
    kept.keep('b', 'b1', exchange(200, 'x'.repeat(60)));
    assert.equal(kept.get('b', 'b0'), undefined);
    assert.ok(kept.get('b', 'b1'));
    kept.keep('b', 'b2', exchange(200, 'x'.repeat(101)));
    assert.equal(kept.has('b2'), false);
  });

  test('belong to their stream, and go with it', () => {
    const kept = new KeptExchanges();
    kept.keep('a', 'a0', exchange(200));
    assert.equal(kept.get('b', 'a0'), undefined);
    kept.forget('a');
    assert.equal(kept.has('a0'), false);
  });
});

describe('which requests are noted', () => {
  test('one success a second, and every failure', () => {
    const noted = new NotedRequests();
    const wanted = [0, 999, 1_000, 1_001, 2_500].map((now) => noted.begin(now).failuresOnly);
    assert.deepEqual(wanted, [false, true, false, true, false]);
  });

  test('of a delivery the first that failed, or the last', () => {
    const last = (...statuses: (number | undefined)[]) => {
      const noted = new NotedRequests().begin(0);
      for (const status of statuses) noted.note(exchange(status));
      return noted.exchange?.answer?.status;
    };
    assert.equal(last(200, 201), 201);
    assert.equal(last(200, 503, 400, 200), 503);
    assert.equal(last(undefined, 503), undefined);
  });
});
