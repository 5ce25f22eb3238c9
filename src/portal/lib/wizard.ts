import type { components } from '../generated/api.ts';
import { elementOf, ruleOf } from './filter-tree.ts';
import { type Alerts, type Choice, choiceFor, fromFilters, groupsFrom, toFilters } from './filters.ts';
import { continueFrom, readStart, type Start, startFrom, writeStart } from './start.ts';
import { kindOfRecords, type RecordsKind, readKind, TYPE_IDS } from './streams.ts';

/** The part of a new stream in the address: all but the destination's own fields, which may hold secrets. */
export interface Draft {
  readonly type: string | undefined;
  readonly step: 'source' | 'destination';
  readonly name: string;
  readonly kind: RecordsKind;
  readonly relation: 1 | 2 | 3;
  readonly choice: Choice;
  readonly start: Start;
}

export function readDraft(search: URLSearchParams): Draft {
  const relation = Number(search.get('of') ?? 1);
  return {
    type: search.get('type') ?? undefined,
    step: search.get('step') === 'destination' ? 'destination' : 'source',
    name: search.get('name') ?? '',
    kind: readKind(search.get('kind')),
    relation: relation === 2 || relation === 3 ? relation : 1,
    choice: readChoice(search),
    start: readStart(search.get('from')),
  };
}

export function writeDraft({ type, step, name, kind, relation, choice, start }: Draft): string {
  const search = new URLSearchParams();
  if (type) search.set('type', type);
  if (step !== 'source') search.set('step', step);
  if (name) search.set('name', name);
  if (kind !== 'usage') search.set('kind', kind);
  if (relation !== 1) search.set('of', String(relation));
  if (choice.which !== 'all') search.set('filter', choice.which);
  if ('types' in choice) {
    if (choice.types.length > 0) search.set('types', choice.types.join('.'));
    if (choice.alerts !== 'any') search.set('alerts', choice.alerts);
  }
  if (choice.which === 'custom') search.set('filters', choice.text);
  // As one element, not as a list: a list of one group would lose what is around it.
  if (choice.which === 'groups') search.set('filters', JSON.stringify(elementOf(choice.root)));
  const from = writeStart(start);
  if (from !== undefined) search.set('from', from);
  const query = search.toString();
  return query ? `/data-streams/new?${query}` : '/data-streams/new';
}

function readChoice(search: URLSearchParams): Choice {
  const which = search.get('filter');
  if (which === 'alerts') return { which };
  if (which === 'custom') return { which, text: search.get('filters') ?? '[]' };
  if (which === 'groups') return readGroups(search.get('filters') ?? '');
  if (which === 'only' || which === 'except') {
    const types = (search.get('types') ?? '').split('.').filter((type) => /^\d{1,10}$/.test(type));
    const given = search.get('alerts');
    const alerts: Alerts = given === 'must' || given === 'too' ? given : 'any';
    return { which, types: types.map(Number), alerts };
  }
  return fromFilters([]);
}

function readGroups(text: string): Choice {
  try {
    const root = ruleOf(JSON.parse(text));
    if (root?.is === 'group') return { which: 'groups', root };
  } catch {
    // The address was shortened by hand.
  }
  return groupsFrom({ which: 'all' });
}

/** A new stream that delivers the same records as another one, and begins where that one ends. */
export function successorOf(stream: components['schemas']['DataStream']): Draft {
  const { id, name, filters, relation_resolution } = stream;
  const relation = relation_resolution.id;
  return {
    type: undefined,
    step: 'source',
    name: name ? `${name} (new)` : '',
    kind: kindOfRecords(stream),
    relation: relation === 2 || relation === 3 ? relation : 1,
    choice: fromFilters(filters),
    start: { from: 'stream', id },
  };
}

type CreateDataStream = components['schemas']['CreateDataStream'];
type Source = Pick<CreateDataStream, 'data_stream_type' | 'relation_resolution' | 'filters'>;

/** The records that a draft means: the part of the body that a preview takes too. */
export function sourceOf({ kind, relation, choice }: Draft): Source {
  return {
    data_stream_type: { id: TYPE_IDS[kind] },
    relation_resolution: { id: relation },
    filters: toFilters(choiceFor(kind, choice)) as NonNullable<Source['filters']>,
  };
}

/**
 * The body of a creation or a test.
 * @param now milliseconds since the epoch, and how many seconds records are kept: for where the stream begins
 */
export function bodyOf(
  draft: Draft,
  credentials: Record<string, unknown>,
  format: string,
  { now, retention }: { readonly now: number; readonly retention: number },
  options: Pick<CreateDataStream, 'delivery' | 'privacy' | 'auto_restart'> = {},
): CreateDataStream {
  const start_from = startFrom(draft.start, now, retention);
  const continue_from = continueFrom(draft.start);
  return {
    ...(draft.name.trim() === '' ? {} : { name: draft.name.trim() }),
    ...sourceOf(draft),
    ...(start_from === undefined ? {} : { start_from }),
    ...(continue_from === undefined ? {} : { continue_from }),
    ...options,
    // Whether they fit the connection type is for the node to say, field by field.
    destination: {
      connection_type: draft.type ?? '',
      credentials: credentials as CreateDataStream['destination']['credentials'],
      format,
    },
  };
}
