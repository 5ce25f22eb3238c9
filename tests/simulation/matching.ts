import type { RecordKind } from '../../src/records/block.ts';
import type { Json } from '../../src/registry/registry.ts';
import type { Chance } from './chance.ts';
import { imsiOf } from './privacy.ts';

/** What a simulated record is like, as its producer knows it. */
export interface Traits {
  readonly id: number;
  readonly kind: RecordKind;
  readonly organisation: number;
  readonly eventType: number;
  readonly alert: boolean;
  readonly endpoint: number;
  readonly poison: boolean;
}

/** What decides which records a stream gets. */
export interface Wish {
  readonly organisationId: number;
  readonly kind: RecordKind;
  readonly relation: 1 | 2 | 3;
  readonly filters: readonly Json[];
}

/** Organisations that are registered from the beginning, each with its parent. The first of a tree is its root. */
export const PARENTS: ReadonlyMap<number, number | undefined> = new Map([
  [1, undefined],
  [2, 1],
  [3, 2],
  [11, undefined],
  [12, 11],
  [21, undefined],
]);

/** Organisations that are registered while records flow, in this order. */
export const LATE_PARENTS: ReadonlyMap<number, number | undefined> = new Map([
  [4, 2],
  [13, 12],
  [31, undefined],
  [5, 4],
  [22, 21],
]);

const parentOf = (organisation: number) => PARENTS.get(organisation) ?? LATE_PARENTS.get(organisation);

export function rootOf(organisation: number): number {
  const parent = parentOf(organisation);
  return parent === undefined ? organisation : rootOf(parent);
}

/** Nodes learn of it while records flow. */
export const isLate = (organisation: number) => LATE_PARENTS.has(organisation);

function isBelow(organisation: number, ancestor: number): boolean {
  const parent = parentOf(organisation);
  return parent !== undefined && (parent === ancestor || isBelow(parent, ancestor));
}

export type Verdict = 'wanted' | 'filtered' | 'uncovered';

/** What the stream is to do with the record: decided here a second time, and differently from the program. */
export function judge(wish: Wish, record: Traits): Verdict {
  if (wish.kind !== record.kind) return 'uncovered';
  const own = record.organisation === wish.organisationId;
  const covered =
    (own && wish.relation !== 2) ||
    (wish.relation !== 1 && isBelow(record.organisation, wish.organisationId));
  if (!covered) return 'uncovered';
  const passes =
    wish.filters.length === 0 ||
    ALL_FILTERS.find(({ filters }) => isSame(filters, wish.filters))?.passes(record);
  return passes ? 'wanted' : 'filtered';
}

const isSame = (a: readonly Json[], b: readonly Json[]) => JSON.stringify(a) === JSON.stringify(b);

interface Filters {
  readonly filters: readonly Json[];
  passes(record: Traits): boolean;
}

/** The filters that simulated people set of any kind, each with what it means. The IMSI is read from the bytes of the records. */
const FILTERS: readonly Filters[] = [
  { filters: [], passes: () => true },
  {
    filters: [{ field: 'endpoint.id', op: 'lte', value: 12 }],
    passes: ({ endpoint }) => endpoint <= 12,
  },
  {
    filters: [{ field: 'imsi', value: [1, 4, 9, 16].map(imsiOf) }],
    passes: ({ endpoint }) => [1, 4, 9, 16].includes(endpoint),
  },
  {
    filters: [
      { not: { field: 'imsi', op: 'lt', value: imsiOf(7) } },
      { field: 'endpoint.id', op: 'ne', value: 8 },
    ],
    passes: ({ endpoint }) => endpoint >= 7 && endpoint !== 8,
  },
];

const EVENT_FILTERS: readonly Filters[] = [
  {
    filters: [{ field: 'event_type_id', value: [1, 2] }],
    passes: ({ eventType }) => eventType === 1 || eventType === 2,
  },
  { filters: [{ field: 'alert', value: true }], passes: ({ alert }) => alert },
  {
    filters: [{ field: 'event_type_id', value: [3], op: 'not_in' }],
    passes: ({ eventType }) => eventType !== 3,
  },
  {
    filters: [{ field: 'event_type_id', value: [1] }, { or: [{ field: 'alert', value: true }] }],
    passes: ({ eventType, alert }) => eventType === 1 || alert,
  },
  {
    filters: [
      {
        any: [
          { field: 'imsi', op: 'prefix', value: imsiOf(5) },
          { field: 'alert', value: true },
        ],
      },
    ],
    passes: ({ endpoint, alert }) => endpoint === 5 || alert,
  },
];
const ALL_FILTERS = [...FILTERS, ...EVENT_FILTERS];

/** Some that mean something for records of this kind. */
export function filtersFor(kind: RecordKind, chance: Chance): readonly Json[] {
  return chance.pick(kind === 'event' ? ALL_FILTERS : FILTERS).filters;
}
