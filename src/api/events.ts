import { Type } from 'typebox';
import type { EventsFound, EventsQuery } from '../delivery/watching/kept-events.ts';
import { ApiError } from '../errors.ts';
import type { Position } from '../log/log.ts';
import { LONGEST_Q, Q_FIELDS, readEventCriteria } from './event-query.ts';
import { recordSchema } from './operator/record-schemas.ts';
import { DEFAULT_PER_PAGE, listAnswer, MOST_PER_PAGE, PAGE_HEADERS } from './pagination.ts';
import { defineRoute, type Route } from './route.ts';

export interface EventParts {
  /** Events that are still kept; see delivery/watching/kept-events.ts. */
  events(query: EventsQuery, signal: AbortSignal): Promise<EventsFound>;
}

const PATH = '/api/v1/event';
/** Skipping pages by their number must stay cheap; a caller that wants more follows the links. */
const MOST_SKIPPED = 1_000_000;

const Query = Type.Object({
  q: Type.Optional(
    Type.String({
      maxLength: LONGEST_Q,
      description: `Conditions \`field:value\` with commas between them, all of which must hold; up to 6 values with \`|\` between them. Fields: ${Q_FIELDS.map((field) => `\`${field}\``).join(', ')}. \`from\` and \`until\` are moments of the events.`,
      examples: ['type:3|5,alert:false'],
    }),
  ),
  filters: Type.Optional(
    Type.String({
      maxLength: LONGEST_Q,
      description: 'Filters as of a data stream of events, in JSON.',
      examples: ['[{"field":"endpoint.tags","op":"contains","value":"meter"}]'],
    }),
  ),
  sort: Type.Optional(
    Type.String({ maxLength: 100, description: '`-timestamp`: the newest first, which is the only order.' }),
  ),
  relation_resolution: Type.Optional(
    Type.Integer({ enum: [1, 2, 3], description: '1 Own (default), 2 Children, 3 Both.' }),
  ),
  page: Type.Optional(Type.Integer({ minimum: 1, description: 'Page, from 1.' })),
  per_page: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: MOST_PER_PAGE,
      description: `Events per page, by default ${DEFAULT_PER_PAGE}.`,
    }),
  ),
  before: Type.Optional(
    Type.String({
      pattern: '^\\d{1,16}\\.\\d{1,10}$',
      description: 'Only events that arrived before those of an earlier page: `X-Next-Before` of its answer.',
    }),
  ),
});

const HEADERS = {
  'X-Total-Count': `${PAGE_HEADERS['X-Total-Count']} Missing where there are too many to count them in one call.`,
  'X-Total-Pages': `${PAGE_HEADERS['X-Total-Pages']} Missing where X-Total-Count is.`,
  'X-Current-Page': PAGE_HEADERS['X-Current-Page'],
  'X-Count-Per-Page': PAGE_HEADERS['X-Count-Per-Page'],
  'X-Next-Before': '`before` of the next page; missing on the last one.',
  Link: 'The next page: `rel="next"`; missing on the last one.',
};

/** `GET /api/v1/event`: the events that are still kept. */
export function eventRoutes({ events }: EventParts): Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: PATH,
      operationId: 'ListEvents',
      tags: ['Event'],
      summary: 'List the events of the retention',
      description:
        'The newest arrival comes first. A call looks at a bounded part of the record log: a page may have fewer events than `per_page`, or none, while `Link` names a next one. Follow `Link` until it is missing: its pages do not move when new events arrive.',
      access: 'read',
      query: Query,
      responses: {
        200: {
          description: 'A page of events, as ingest received them.',
          schema: Type.Array(recordSchema('event')),
          headers: HEADERS,
        },
      },
      errors: ['InvalidQueryCriteria', 'InvalidSortCriteria'],
      handler: async ({ query, identity, signal }) => {
        const { page = 1, per_page: perPage = DEFAULT_PER_PAGE, sort = '-timestamp', before } = query;
        if (sort !== '-timestamp') {
          throw new ApiError(
            'InvalidSortCriteria',
            'sort: the newest events come first, -timestamp; there is no other order',
          );
        }
        const skip = (page - 1) * perPage;
        if (skip > MOST_SKIPPED) throw tooFar();
        const found = await events(
          {
            ...readEventCriteria(query),
            organisationId: identity.organisationId,
            relation: (query.relation_resolution ?? 1) as 1 | 2 | 3,
            skip,
            limit: perPage,
            ...(before === undefined ? {} : { before: positionOf(before) }),
          },
          signal,
        );
        if (!found.skipped) throw tooFar();
        return listAnswer(found.events, headersOf(found, query, page, perPage));
      },
    }),
  ];
}

function tooFar(): ApiError {
  const message =
    'page: it lies too far back to count up to it; follow Link from an earlier page, or ask for a time with q=until:…';
  return new ApiError('OutOfRange', message);
}

function positionOf(text: string): Position {
  const [sequence = 0, index = 0] = text.split('.').map(Number);
  return { sequence, index };
}

function headersOf(
  { total, next }: EventsFound,
  query: Readonly<Record<string, unknown>>,
  page: number,
  perPage: number,
): Record<string, string> {
  const headers: Record<string, string> = {
    'x-current-page': String(page),
    'x-count-per-page': String(perPage),
  };
  if (total !== undefined) {
    headers['x-total-count'] = String(total);
    headers['x-total-pages'] = String(Math.max(1, Math.ceil(total / perPage)));
  }
  if (next) {
    const before = `${next.sequence}.${next.index}`;
    const parameters = new URLSearchParams({ per_page: String(perPage), before });
    for (const name of ['q', 'filters', 'relation_resolution']) {
      if (query[name] !== undefined) parameters.set(name, String(query[name]));
    }
    headers['x-next-before'] = before;
    headers.link = `<${PATH}?${parameters}>; rel="next"`;
  }
  return headers;
}
