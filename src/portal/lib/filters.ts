import {
  describeRule,
  filtersOf,
  type GroupRule,
  hasField,
  isComplete,
  NEW_RULE,
  normalFilter,
  treeOf,
} from './filter-tree.ts';
import type { RecordsKind } from './streams.ts';

/** The events that a stream takes, in the form's terms; `custom` holds all other filters of the API, as JSON. */
export type Choice =
  | { readonly which: 'all' }
  | { readonly which: 'only' | 'except'; readonly types: readonly number[]; readonly alerts: Alerts }
  | { readonly which: 'alerts' }
  | { readonly which: 'groups'; readonly root: GroupRule }
  | { readonly which: 'custom'; readonly text: string };
/** `any`: alerts or not; `must`: alerts only; `too`: alerts of any other type as well. */
export type Alerts = 'any' | 'must' | 'too';

const ALERT = { field: 'alert', value: true };

/** @throws SyntaxError when custom text is not JSON */
export function toFilters(choice: Choice): unknown {
  switch (choice.which) {
    case 'all':
      return [];
    case 'alerts':
      return [ALERT];
    case 'groups':
      return filtersOf(choice.root);
    case 'custom':
      return JSON.parse(choice.text);
    default: {
      const op = choice.which === 'except' ? { op: 'not_in' } : {};
      const types = { field: 'event_type_id', value: [...choice.types], ...op };
      if (choice.alerts === 'must') return [types, ALERT];
      return choice.alerts === 'too' ? [types, { or: [ALERT] }] : [types];
    }
  }
}

/** The choice that amounts to these filters. */
export function fromFilters(sent: readonly unknown[]): Choice {
  const filters = sent.map(normalFilter);
  if (filters.length === 0) return { which: 'all' };
  const [first, second, ...more] = filters.map((filter) => JSON.stringify(filter));
  const alert = JSON.stringify(ALERT);
  if (more.length === 0) {
    if (first === alert && second === undefined) return { which: 'alerts' };
    const types = readTypes(filters[0]);
    const alerts =
      second === undefined
        ? 'any'
        : second === alert
          ? 'must'
          : second === JSON.stringify({ or: [ALERT] })
            ? 'too'
            : undefined;
    if (types && alerts) return { ...types, alerts };
  }
  const root = treeOf(filters);
  return root ? { which: 'groups', root } : { which: 'custom', text: JSON.stringify(sent, null, 2) };
}

/** The first groups: the earlier choice, as far as groups can express it. */
export function groupsFrom(choice: Choice, first = NEW_RULE): Choice {
  if (choice.which === 'groups') return choice;
  let root: GroupRule | undefined;
  try {
    const filters = toFilters(choice);
    root = Array.isArray(filters) ? treeOf(filters) : undefined;
  } catch {
    // Text that is not JSON says nothing.
  }
  if (!root || root.rules.length === 0) root = { is: 'group', how: 'all', rules: [first] };
  return { which: 'groups', root };
}

/** The part of the choice that fits a kind of records: only events have types and alerts. */
export function choiceFor(kind: RecordsKind, choice: Choice): Choice {
  if (kind === 'events') return choice;
  return choice.which === 'groups' || choice.which === 'custom' ? choice : { which: 'all' };
}

/** It can be sent; whether the filters mean something is for the node to say. */
export function isValidChoice(choice: Choice): boolean {
  if (choice.which === 'groups') return isComplete(choice.root);
  return choice.which !== 'custom' || jsonFault(choice.text) === undefined;
}

export function jsonFault(text: string): string | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch {
    return 'This is not JSON';
  }
}

function readTypes(filter: unknown) {
  const { field, value, op, ...others } = filter as Record<string, unknown>;
  if (field !== 'event_type_id' || !Array.isArray(value) || Object.keys(others).length > 0) return undefined;
  return { which: op === 'not_in' ? 'except' : 'only', types: value as number[] } as const;
}

/** In words, for people. */
export function describeFilters(
  filters: readonly unknown[],
  nameOf: (type: number) => string,
  records = 'events',
): string {
  const choice = fromFilters(filters);
  if (choice.which === 'all') return `All ${records}`;
  if (choice.which === 'alerts') return 'Alerts only';
  if (choice.which === 'custom') return `Filters of your own: ${JSON.stringify(filters)}`;
  if (choice.which === 'groups') {
    const name = `${records[0]?.toUpperCase()}${records.slice(1)}`;
    return `${name}${hasField(choice.root) ? ':' : ' that are'} ${describeRule(choice.root, nameOf)}`;
  }
  const names = choice.types.map(nameOf).join(', ');
  const types = choice.which === 'only' ? names : `All types except ${names}`;
  return { any: types, must: `${types}; alerts only`, too: `${types}; and any alert` }[choice.alerts];
}
