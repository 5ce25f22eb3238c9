import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ApiError } from '../errors.ts';
import { answerPage, MOST_LIST_BYTES, pageOf } from './pagination.ts';

interface Asked {
  readonly page?: number;
  readonly per_page?: number;
}

/** What a client gets of a list of numbers, each written as a text of `bytes` bytes with it. */
async function ask(total: number, query: Asked, bytes = 10) {
  const numbers = Array.from({ length: total }, (_, at) => at);
  const answer = await answerPage(pageOf(numbers, query), '/list', (at) => String(at).padEnd(bytes - 3, ' '));
  const items = (JSON.parse(String(answer.body)) as string[]).map(Number);
  return { items, headers: answer.headers ?? {} };
}

/** Reads a list as a client does that follows `Link`. */
async function follow(total: number, query: Asked, bytes: number): Promise<number[]> {
  const found: number[] = [];
  for (let next: Asked | undefined = query; next; ) {
    const { items, headers } = await ask(total, next, bytes);
    found.push(...items);
    const [, page, perPage] =
      /<\/list\?page=(\d+)&per_page=(\d+)>; rel="next"/.exec(headers.link ?? '') ?? [];
    next = page === undefined ? undefined : { page: Number(page), per_page: Number(perPage) };
  }
  return found;
}

describe('lists', () => {
  test('without parameters a list comes whole', async () => {
    const { items, headers } = await ask(2_500, {});
    assert.equal(items.length, 2_500);
    assert.deepEqual(headers, {
      'content-type': 'application/json; charset=utf-8',
      'x-total-count': '2500',
      'x-total-pages': '1',
      'x-current-page': '1',
      'x-count-per-page': '2500',
    });
  });

  test('an empty list is one empty page', async () => {
    for (const query of [{}, { page: 1 }, { per_page: 5 }]) {
      const { items, headers } = await ask(0, query);
      assert.deepEqual([items, headers['x-total-count'], headers['x-total-pages']], [[], '0', '1']);
    }
  });

  test('a page has the items that belong to it, and links to the others', async () => {
    const { items, headers } = await ask(25, { page: 2, per_page: 10 });
    assert.deepEqual(items, [10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
    const link = [
      '</list?page=1&per_page=10>; rel="first"',
      '</list?page=1&per_page=10>; rel="prev"',
      '</list?page=3&per_page=10>; rel="next"',
      '</list?page=3&per_page=10>; rel="last"',
    ].join(', ');
    assert.deepEqual([headers['x-total-count'], headers['x-total-pages']], ['25', '3']);
    assert.deepEqual([headers['x-current-page'], headers['x-count-per-page']], ['2', '10']);
    assert.equal(headers.link, link);
    assert.equal((await ask(250, { page: 1 })).items.length, 100);
    assert.deepEqual((await ask(25, { page: 4, per_page: 10 })).items, []);
  });

  test('a whole list ends where it has 4 MiB, and its link leads to the rest: nothing is lost', async () => {
    for (const [total, bytes] of [
      [30, 300_000],
      [12_000, 1_000],
    ] as const) {
      const { items, headers } = await ask(total, {}, bytes);
      assert.ok(items.length < total && items.length * bytes <= MOST_LIST_BYTES, `${items.length}`);
      assert.equal(headers['x-total-count'], String(total));
      const all = await follow(total, {}, bytes);
      assert.deepEqual(all, [...Array(total).keys()]);
    }
  });

  test('a page that has more than 4 MiB is refused with a number that fits, and never cut', async () => {
    await assert.rejects(ask(100, { per_page: 100 }, 300_000), (error: Error) => {
      assert.ok(error instanceof ApiError);
      assert.deepEqual([error.status, error.token], [422, 'OutOfRange']);
      assert.match(error.message, /^per_page: .* ask for fewer items, e\.g\. 13$/);
      return true;
    });
    assert.equal((await ask(100, { per_page: 13 }, 300_000)).items.length, 13);
  });

  test('a single item comes whatever its size', async () => {
    assert.equal((await ask(1, { per_page: 1 }, MOST_LIST_BYTES * 2)).items.length, 1);
  });
});
