import { Type } from 'typebox';
import { ApiError } from '../errors.ts';
import { charged } from '../lib/call-cost.ts';
import { Slices } from '../lib/slices.ts';
import type { Answer } from './route.ts';

/** Lists in emnify's form: a bare array, with the counts and pages in headers. */

export const MOST_PER_PAGE = 1000;
export const DEFAULT_PER_PAGE = 100;
/**
 * Bytes of one list. A list of the size that organisations have is far below it; a client that stops there has some
 * thousand items, and the headers say that there are more.
 */
export const MOST_LIST_BYTES = 4 * 2 ** 20;

/** Optional: without them a list comes whole, up to MOST_LIST_BYTES. */
export const PageQuery = Type.Object({
  page: Type.Optional(Type.Integer({ minimum: 1, description: 'Page, from 1.' })),
  per_page: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: MOST_PER_PAGE,
      description: `Items per page; ${DEFAULT_PER_PAGE} if only \`page\` is given.`,
    }),
  ),
});

export const PAGE_HEADERS = {
  'X-Total-Count': 'Items in all.',
  'X-Total-Pages': 'Pages in all.',
  'X-Current-Page': 'This page.',
  'X-Count-Per-Page': 'Items per page.',
  Link: 'Other pages: first, prev, next, last.',
};

/** The sentence about pages in the description of a list. */
export const ALL_OR_PAGES =
  'Without `page` and `per_page` all of them, up to 4 MiB; `Link` then names the page with the rest.';

interface Page<Item> {
  readonly items: readonly Item[];
  /** Items of the whole list. */
  readonly total: number;
  /** undefined: the whole list was asked for. */
  readonly perPage: number | undefined;
  readonly page: number;
}

/** The items that a call asks for. */
export function pageOf<Item>(
  items: readonly Item[],
  query: { readonly page?: number; readonly per_page?: number },
): Page<Item> {
  const { page = 1, per_page } = query;
  if (query.page === undefined && per_page === undefined) {
    return { items, total: items.length, perPage: undefined, page };
  }
  const perPage = per_page ?? DEFAULT_PER_PAGE;
  return { items: items.slice((page - 1) * perPage, page * perPage), total: items.length, perPage, page };
}

/**
 * The answer with a page. It is written in slices, so that a long list does not delay other calls. A whole list ends at
 * MOST_LIST_BYTES, and its headers say so.
 * @param path of the list, for the links
 * @throws ApiError OutOfRange when the requested page has more bytes: cut off, its items would be lost
 */
export async function answerPage<Item>(
  { items, total, perPage, page }: Page<Item>,
  path: string,
  show: (item: Item) => unknown,
): Promise<Answer> {
  const texts = await writeItems(items, show, MOST_LIST_BYTES);
  if (texts.length < items.length && perPage !== undefined) {
    const message = `per_page: the page has more than ${MOST_LIST_BYTES / 2 ** 20} MiB; ask for fewer items, e.g. ${texts.length}`;
    throw new ApiError('OutOfRange', message);
  }
  if (perPage !== undefined) return listAnswer(texts, headersOf(total, perPage, page, page, path));
  if (texts.length === items.length) return listAnswer(texts, headersOf(total, Math.max(1, total), 1));
  // The rest must begin with a page, of an allowed size.
  const size = Math.min(texts.length, MOST_PER_PAGE);
  const pages = Math.floor(texts.length / size);
  return listAnswer(texts.slice(0, pages * size), headersOf(total, size, 1, pages, path));
}

/**
 * @param texts of the items, each JSON
 * @param others members of the answer beside the list, which is then its member `name`
 */
export function listAnswer(
  texts: readonly string[],
  headers: Readonly<Record<string, string>>,
  others?: object,
  name?: string,
): Answer {
  const list = `[${texts.join(',')}]`;
  const body = others ? `${JSON.stringify(others).slice(0, -1)},"${name}":${list}}` : list;
  return { status: 200, body, headers: { 'content-type': 'application/json; charset=utf-8', ...headers } };
}

/**
 * The JSON of each item, written in slices.
 * @param mostBytes ends before the item that exceeds it, but has at least one
 */
export async function writeItems<Item>(
  items: readonly Item[],
  show: (item: Item) => unknown,
  mostBytes: number,
): Promise<readonly string[]> {
  const slices = new Slices();
  const texts: string[] = [];
  let bytes = '[]'.length;
  for (const item of items) {
    const text = charged(() => JSON.stringify(show(item)));
    const length = Buffer.byteLength(text) + ','.length;
    if (texts.length > 0 && bytes + length > mostBytes) break;
    texts.push(text);
    bytes += length;
    await slices.add(length);
  }
  return texts;
}

/**
 * @param first page that the answer has
 * @param last page that the answer has; more than the first where a whole list ends before its end
 * @param path for links; without it the answer has the whole list
 */
function headersOf(
  total: number,
  perPage: number,
  first: number,
  last = first,
  path?: string,
): Record<string, string> {
  const pages = Math.max(1, Math.ceil(total / perPage));
  const links = [
    ['first', 1],
    ['prev', first - 1],
    ['next', last + 1],
    ['last', pages],
  ] as const;
  const link = links
    .filter(([, to]) => to >= 1 && to <= pages)
    .map(([name, to]) => `<${path}?page=${to}&per_page=${perPage}>; rel="${name}"`);
  return {
    'x-total-count': String(total),
    'x-total-pages': String(pages),
    'x-current-page': String(first),
    'x-count-per-page': String(perPage),
    ...(path === undefined ? {} : { link: link.join(', ') }),
  };
}
