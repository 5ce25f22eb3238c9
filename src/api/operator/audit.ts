import Type, { type Static } from 'typebox';
import type { Audit, AuditEntry } from '../../auth/audit.ts';
import { defineRoute, type Route } from '../route.ts';
import { TimeParameter, timeParameter } from '../time-parameter.ts';

export interface AuditParts {
  readonly audit: Pick<Audit, 'read'>;
}

const Query = Type.Object({
  organisation: Type.Optional(Type.Integer({ minimum: 1, description: 'Id of an organisation.' })),
  actor: Type.Optional(
    Type.String({
      description: '`operator`, `user:<username>` or `application:<id>`.',
      examples: ['operator'],
    }),
  ),
  action: Type.Optional(
    Type.String({ description: 'An operation id of this API.', examples: ['Authenticate'] }),
  ),
  from: TimeParameter('Entries from this time on.'),
  until: TimeParameter('Entries before this time.'),
  after: Type.Optional(
    Type.String({ maxLength: 100, description: 'Header X-Next-After of the page before.' }),
  ),
  limit: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 1000, description: 'Entries a page; 100 if absent.' }),
  ),
  format: Type.Optional(
    Type.Union([Type.Literal('json'), Type.Literal('ndjson'), Type.Literal('csv')], {
      description: 'Of the answer; `json` if absent.',
    }),
  ),
});

const Entry = Type.Object(
  {
    at: Type.String({ format: 'date-time' }),
    actor: Type.String(),
    organisation_id: Type.Union([Type.Integer(), Type.Null()]),
    action: Type.String({ description: 'An operation id of this API.' }),
    resource: Type.Record(Type.String(), Type.String(), { description: 'Ids of the path.' }),
    ip: Type.String(),
    status: Type.Integer({ description: 'Of the answer; below 400 the call was done.' }),
    times: Type.Integer({ description: 'How often this happened within a minute; `at` is the first time.' }),
    given: Type.Record(Type.String(), Type.Unknown(), {
      description: 'The fields of the body; `***` in place of every value that may be a secret.',
    }),
    changed: Type.Record(Type.String(), Type.Array(Type.Unknown(), { minItems: 2, maxItems: 2 }), {
      description: 'The fields that the call changed, each with its value before and after; secrets masked.',
    }),
  },
  { 'x-component': 'AuditEntry' },
);
const COLUMNS = Object.keys(Entry.properties) as (keyof Static<typeof Entry>)[];
const TYPES = { json: 'application/json', ndjson: 'application/x-ndjson', csv: 'text/csv; charset=utf-8' };

/** `GET /operator/v1/audit`: the audit log. */
export function auditRoutes({ audit }: AuditParts): Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/operator/v1/audit',
      operationId: 'ListAudit',
      tags: ['Operator: audit'],
      summary: 'List logins, calls of the operator, changes and refused calls',
      description:
        'Oldest first, in pages. The answer has the header X-Next-After while more entries may follow; a page may have fewer entries than its limit, or none. An entry EntriesMissing counts entries that were not kept, because too many came at once.',
      access: 'operator',
      query: Query,
      responses: {
        200: {
          description: 'A page of entries.',
          schema: Type.Array(Entry),
          texts: ['application/x-ndjson', 'text/csv'],
          headers: { 'X-Next-After': '`after` of the next page.' },
        },
      },
      errors: ['BadRequest'],
      handler: async ({ query }) => {
        const { organisation, actor, action, after, limit = 100, format = 'json' } = query;
        const from = timeParameter('from', query.from);
        const until = timeParameter('until', query.until);
        const { entries, next } = await audit.read({
          limit,
          ...(organisation === undefined ? {} : { organisationId: organisation }),
          ...(actor === undefined ? {} : { actor }),
          ...(action === undefined ? {} : { action }),
          ...(from === undefined ? {} : { from }),
          ...(until === undefined ? {} : { until }),
          ...(after === undefined ? {} : { after }),
        });
        const shown = entries.map(show);
        const headers: Record<string, string> = next === undefined ? {} : { 'x-next-after': next };
        if (format === 'json') return { status: 200, body: shown, headers };
        const lines =
          format === 'csv'
            ? [COLUMNS.join(','), ...shown.map((entry) => COLUMNS.map((name) => cell(entry[name])).join(','))]
            : shown.map((entry) => JSON.stringify(entry));
        const body = lines.map((line) => `${line}\n`).join('');
        return { status: 200, body, headers: { ...headers, 'content-type': TYPES[format] } };
      },
    }),
  ];
}

function show(entry: AuditEntry): Static<typeof Entry> {
  const { at, actor, organisationId, action, resource = {}, ip, status, times = 1 } = entry;
  const { given = {}, changed = {} } = entry;
  return {
    at: new Date(at).toISOString(),
    actor,
    organisation_id: organisationId ?? null,
    action,
    resource: { ...resource },
    ip,
    status,
    times,
    given: { ...given },
    changed: Object.fromEntries(Object.entries(changed).map(([path, values]) => [path, [...values]])),
  };
}

/** A spreadsheet must not run a name that a stranger gave: such a cell begins with an apostrophe. */
function cell(value: unknown): string {
  const text = value === null ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value);
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
