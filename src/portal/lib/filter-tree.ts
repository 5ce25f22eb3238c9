/**
 * Filters as the editor shows them: conditions in groups, and groups in groups. Whatever the API's `all`, `any`, `not` and
 * `or` can say about single values has its tree; src/filters/syntax.ts is the grammar.
 */
export type Rule = TypesRule | AlertRule | FieldRule | GroupRule;
interface TypesRule {
  readonly is: 'types';
  readonly not: boolean;
  readonly types: readonly number[];
}
interface AlertRule {
  readonly is: 'alert';
  readonly value: boolean;
}
export interface FieldRule {
  readonly is: 'field';
  /** A path such as `operator.country.mcc`. */
  readonly field: string;
  readonly op: FieldOp;
  readonly values: readonly (string | number | boolean)[];
}
export type FieldOp = keyof typeof OP_WORDS;
export interface GroupRule {
  readonly is: 'group';
  readonly how: How;
  readonly rules: readonly Rule[];
}
/** Which of a group's rules have to hold. */
export type How = 'all' | 'any' | 'none' | 'not-all';

export const NEW_RULE: Rule = { is: 'types', not: false, types: [] };
export const NEW_FIELD_RULE: Rule = { is: 'field', field: '', op: 'in', values: [] };

/** Comparisons in words; `missing` is `exists` with false. */
export const OP_WORDS = {
  in: 'is',
  not_in: 'is not',
  lt: 'is less than',
  lte: 'is at most',
  gt: 'is greater than',
  gte: 'is at least',
  prefix: 'begins with',
  contains: 'contains',
  exists: 'has a value',
  missing: 'has no value',
} as const;
const SAME_OPS: Readonly<Record<string, FieldOp>> = { eq: 'in', ne: 'not_in' };

/** Whether the comparison needs values. */
export const needsValues = (op: FieldOp) => op !== 'exists' && op !== 'missing';

/** A list of filters for the API. */
export function filtersOf(root: GroupRule): unknown[] {
  return root.how === 'all' ? root.rules.map(elementOf) : [elementOf(root)];
}

/** The element of the API that means the rule. A group stays a group, so that `ruleOf` returns it. */
export function elementOf(rule: Rule): unknown {
  if (rule.is === 'alert') return { field: 'alert', value: rule.value };
  if (rule.is === 'types') {
    return { field: 'event_type_id', value: [...rule.types], ...(rule.not ? { op: 'not_in' } : {}) };
  }
  if (rule.is === 'field') {
    const { field, op, values } = rule;
    if (!needsValues(op)) return { field, op: 'exists', value: op === 'exists' };
    return { field, ...(op === 'in' ? {} : { op }), value: [...values] };
  }
  const elements = rule.rules.map(elementOf);
  switch (rule.how) {
    case 'all':
      return { all: elements };
    case 'any':
      return { any: elements };
    case 'not-all':
      return { not: { all: elements } };
    case 'none':
      return { not: { any: elements } };
  }
}

/**
 * A filter in the one form that the editor writes. The API gives filters back as they were sent: with values as texts or
 * alone, with a group's only member without its list. Elements that it does not know stay unchanged.
 */
export function normalFilter(filter: unknown): unknown {
  if (typeof filter !== 'object' || filter === null || Array.isArray(filter)) return filter;
  const { value, op, all, any, not, or, ...others } = filter as Readonly<Record<string, unknown>>;
  const list = (members: unknown) => [members].flat().map(normalFilter);
  return {
    ...others,
    ...(value === undefined ? {} : { value: normalValue(others.field, value) }),
    ...(op === undefined || op === 'in' ? {} : { op }),
    ...(all === undefined ? {} : { all: list(all) }),
    ...(any === undefined ? {} : { any: list(any) }),
    ...(not === undefined ? {} : { not: normalFilter(not) }),
    ...(or === undefined ? {} : { or: list(or) }),
  };
}

function normalValue(field: unknown, value: unknown): unknown {
  const values = [value].flat();
  if (field === 'event_type_id') {
    return [...new Set(values.map((each) => (/^\d{1,10}$/.test(String(each)) ? Number(each) : each)))];
  }
  const alerts = [...new Set(values.map((each) => ({ true: true, false: false })[String(each)] ?? each))];
  return field === 'alert' && alerts.length === 1 ? alerts[0] : value;
}

/** The tree that amounts to a list of filters; undefined where it cannot be shown as one. */
export function treeOf(filters: readonly unknown[]): GroupRule | undefined {
  const plain: Rule[] = [];
  const or: Rule[] = [];
  for (const filter of filters.map(normalFilter)) {
    const members = (filter as { or?: unknown } | null)?.or;
    const place = Array.isArray(members) ? or : plain;
    for (const element of Array.isArray(members) ? members : [filter]) {
      const rule = ruleOf(element);
      if (!rule) return undefined;
      place.push(rule);
    }
  }
  const [first] = plain;
  if (or.length > 0) {
    const rest: Rule[] =
      plain.length > 1 ? [{ is: 'group', how: 'all', rules: plain }] : first ? [first] : [];
    return { is: 'group', how: 'any', rules: [...rest, ...or] };
  }
  return plain.length === 1 && first?.is === 'group' ? first : { is: 'group', how: 'all', rules: plain };
}

/** The rule that an element means; undefined if it means none. */
export function ruleOf(element: unknown): Rule | undefined {
  if (typeof element !== 'object' || element === null || Array.isArray(element)) return undefined;
  const { field, value, op, all, any, not, ...others } = element as Readonly<Record<string, unknown>>;
  const given = [field, all, any, not].filter((each) => each !== undefined);
  if (given.length !== 1 || Object.keys(others).length > 0) return undefined;
  if (all !== undefined) return groupOf('all', all);
  if (any !== undefined) return groupOf('any', any);
  if (not !== undefined) {
    const inner = ruleOf(not);
    if (inner?.is === 'group' && inner.how === 'all') return { ...inner, how: 'not-all' };
    if (inner?.is === 'group' && inner.how === 'any') return { ...inner, how: 'none' };
    return inner && { is: 'group', how: 'none', rules: [inner] };
  }
  if (field !== 'alert' && field !== 'event_type_id') return fieldRule(field, op ?? 'in', value);
  if (op !== undefined && op !== 'in' && op !== 'not_in') return undefined;
  if (field === 'alert' && typeof value === 'boolean') {
    return { is: 'alert', value: value === (op !== 'not_in') };
  }
  const types = field === 'event_type_id' && Array.isArray(value) ? value : undefined;
  if (!types?.every((type) => Number.isInteger(type) && type >= 0)) return undefined;
  return { is: 'types', not: op === 'not_in', types };
}

function fieldRule(field: unknown, op: unknown, value: unknown): Rule | undefined {
  if (typeof field !== 'string' || typeof op !== 'string') return undefined;
  if (op === 'exists') {
    const is = ({ true: 'exists', false: 'missing' } as const)[String(value ?? true)];
    return is && { is: 'field', field, op: is, values: [] };
  }
  const known =
    SAME_OPS[op] ?? (Object.hasOwn(OP_WORDS, op) && op !== 'missing' ? (op as FieldOp) : undefined);
  const values = [value].flat() as FieldRule['values'];
  const scalars = values.every((each) => ['string', 'number', 'boolean'].includes(typeof each));
  return known && scalars && values.length > 0 ? { is: 'field', field, op: known, values } : undefined;
}

function groupOf(how: How, members: unknown): GroupRule | undefined {
  if (!Array.isArray(members)) return undefined;
  const rules = members.map(ruleOf);
  return rules.every((rule) => rule !== undefined) ? { is: 'group', how, rules } : undefined;
}

/** Nothing in it is still to be filled in. */
export function isComplete(rule: Rule): boolean {
  if (rule.is === 'group') return rule.rules.length > 0 && rule.rules.every(isComplete);
  if (rule.is === 'field') return rule.field !== '' && (!needsValues(rule.op) || rule.values.length > 0);
  return rule.is === 'alert' || rule.types.length > 0;
}

/** Whether a condition in it is about a field. */
export function hasField(rule: Rule): boolean {
  return rule.is === 'group' ? rule.rules.some(hasField) : rule.is === 'field';
}

const JOINED: Readonly<Record<How, readonly [string, string, string]>> = {
  all: ['', ' and ', ''],
  any: ['', ' or ', ''],
  none: ['neither ', ' nor ', ''],
  'not-all': ['not all of ', ' and ', ''],
};

/** In words, for people. */
export function describeRule(rule: Rule, nameOf: (type: number) => string, inside = false): string {
  if (rule.is === 'alert') return rule.value ? 'an alert' : 'no alert';
  if (rule.is === 'types') {
    const names = rule.types.map(nameOf).join(', ');
    return rule.not ? `none of the types ${names}` : `of type ${names}`;
  }
  if (rule.is === 'field') {
    const values = needsValues(rule.op) ? ` ${rule.values.join(', ')}` : '';
    return `${rule.field} ${OP_WORDS[rule.op]}${values}`;
  }
  const [only] = rule.rules;
  if (only && rule.rules.length === 1) {
    const words = describeRule(only, nameOf, true);
    return rule.how === 'all' || rule.how === 'any' ? words : `not (${words})`;
  }
  const [before, between, after] = JOINED[rule.how];
  const words = `${before}${rule.rules.map((each) => describeRule(each, nameOf, true)).join(between)}${after}`;
  return inside ? `(${words})` : words;
}
