import { Type } from 'typebox';

/** emnify's way of lists: a bare array, and what there is to know about it in headers. */

/** Optional: without them a list comes whole. */
export const PageQuery = Type.Object({
  page: Type.Optional(Type.Integer({ minimum: 1, description: 'Page, from 1.' })),
  per_page: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 1000, description: 'Items per page; 100 if only `page` is given.' }),
  ),
});

export const PAGE_HEADERS = {
  'X-Total-Count': 'Items in all.',
  'X-Total-Pages': 'Pages in all.',
  'X-Current-Page': 'This page.',
  'X-Count-Per-Page': 'Items per page.',
  Link: 'Other pages: first, prev, next, last.',
};

export const DEFAULT_PER_PAGE = 100;

/** @param path of the list, for the links */
export function paginate<Item>(
  items: readonly Item[],
  query: { readonly page?: number; readonly per_page?: number },
  path: string,
): { readonly items: readonly Item[]; readonly headers: Record<string, string> } {
  const whole = query.page === undefined && query.per_page === undefined;
  const perPage = whole ? Math.max(1, items.length) : (query.per_page ?? DEFAULT_PER_PAGE);
  const page = query.page ?? 1;
  const pages = Math.max(1, Math.ceil(items.length / perPage));
  const links = [
    ['first', 1],
    ['prev', page - 1],
    ['next', page + 1],
    ['last', pages],
  ] as const;
  const link = links
    .filter(([, to]) => to >= 1 && to <= pages)
    .map(([name, to]) => `<${path}?page=${to}&per_page=${perPage}>; rel="${name}"`);
  return {
    items: items.slice((page - 1) * perPage, page * perPage),
    headers: {
      'x-total-count': String(items.length),
      'x-total-pages': String(pages),
      'x-current-page': String(page),
      'x-count-per-page': String(perPage),
      ...(whole ? {} : { link: link.join(', ') }),
    },
  };
}
