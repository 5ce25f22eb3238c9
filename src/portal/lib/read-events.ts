import { api, readPage } from './api.ts';
import { type EventSearch, eventQuery, type ListedEvent, listedEvent } from './event-history.ts';
import { elementsOf } from './preview.ts';

/** On a phone each event is as high as a hand. */
const PER_PAGE = 20;

/**
 * The newest events that are kept.
 * @param pages calls to make at most; each looks at a bounded part of the record log, and may find less than a page
 */
export async function readEvents(
  search: EventSearch,
  pages: number,
  signal: AbortSignal,
): Promise<{ readonly events: readonly ListedEvent[]; readonly more: boolean }> {
  const texts: string[] = [];
  let before: string | undefined;
  for (let page = 0; page < pages; page++) {
    const query = { ...eventQuery(search), per_page: PER_PAGE, ...(before === undefined ? {} : { before }) };
    // As text: ids have more digits than a number of JavaScript.
    const call = api.GET('/api/v1/event', { params: { query }, parseAs: 'text', signal });
    const { data, next } = await readPage<string>(call as never);
    texts.push(...elementsOf(data));
    before = next;
    if (before === undefined) break;
  }
  return { events: texts.map(listedEvent), more: before !== undefined };
}
