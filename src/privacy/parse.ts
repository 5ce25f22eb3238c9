import type { FieldFault } from '../errors.ts';
import { DEEPEST_PATH, LONGEST_PATH, MOST_PATHS } from '../filters/condition.ts';
import type { RecordPrivacy } from '../registry/data-stream.ts';

/** Receivers recognise a record by these fields, and connectors read them. So each record keeps them as they are. */
export const KEPT_FIELDS: readonly string[] = [
  'id',
  'organisation.id',
  'traffic_type.id',
  'event_type.id',
  'timestamp',
  'start_timestamp',
  'end_timestamp',
  'submit_date',
];

type Parsed =
  /** undefined: no field is removed or hashed. */
  | { readonly type: 'valid'; readonly privacy: RecordPrivacy | undefined }
  | { readonly type: 'invalid'; readonly faults: readonly FieldFault[] };

/** Reads `privacy` of a body. Null and a missing list mean an empty list. */
export function parsePrivacy(raw: unknown): Parsed {
  if (raw === undefined || raw === null) return { type: 'valid', privacy: undefined };
  const faults: FieldFault[] = [];
  const add = (token: FieldFault['token'], path: string, message: string) => {
    faults.push({ token, path: `/privacy${path}`, message });
  };
  if (typeof raw !== 'object' || Array.isArray(raw)) {
    add('InvalidFormat', '', 'must be an object such as {"drop": ["sim.msisdn"], "hash": ["imsi"]}');
    return { type: 'invalid', faults };
  }
  const given = raw as Readonly<Record<string, unknown>>;
  for (const name of Object.keys(given)) {
    if (name !== 'drop' && name !== 'hash') add('NotAllowed', `/${pointer(name)}`, 'must be drop or hash');
  }
  const drop = readPaths(given.drop, '/drop', add);
  const hash = readPaths(given.hash, '/hash', add);
  for (const [at, path] of hash.entries()) {
    if (drop.includes(path)) add('NotAllowed', `/hash/${at}`, `${path} is also in drop: choose one of them`);
  }
  if (drop.length + hash.length > MOST_PATHS) {
    add('OutOfRange', '', `has ${drop.length + hash.length} paths: up to ${MOST_PATHS} are allowed`);
  }
  if (faults.length > 0) return { type: 'invalid', faults };
  return { type: 'valid', privacy: drop.length + hash.length > 0 ? { drop, hash } : undefined };
}

type Add = (token: FieldFault['token'], path: string, message: string) => void;

/** Paths in the order in which they were sent, each once. */
function readPaths(raw: unknown, at: string, add: Add): string[] {
  if (raw === undefined || raw === null) return [];
  if (!Array.isArray(raw)) {
    add('InvalidFormat', at, 'must be a list of paths such as ["endpoint.imei"]');
    return [];
  }
  const paths = new Set<string>();
  for (const [index, path] of raw.slice(0, MOST_PATHS + 1).entries()) {
    const fault = faultOf(path);
    if (fault) add(fault[0], `${at}/${index}`, fault[1]);
    else paths.add(path as string);
  }
  return [...paths];
}

function faultOf(path: unknown): readonly [FieldFault['token'], string] | undefined {
  const names = typeof path === 'string' ? path.split('.') : [];
  if (typeof path !== 'string' || !path.isWellFormed() || names.includes('')) {
    return ['InvalidFormat', 'must be a path of names with dots between them, such as sim.iccid'];
  }
  if (names.length > DEEPEST_PATH || path.length > LONGEST_PATH) {
    return ['OutOfRange', `may have up to ${DEEPEST_PATH} names and ${LONGEST_PATH} characters`];
  }
  const kept = KEPT_FIELDS.filter((field) => field === path || field.startsWith(`${path}.`));
  if (kept.length === 0) return undefined;
  const others = kept[0] === path ? '' : ` Name the other fields of ${path} instead.`;
  return ['NotAllowed', `receivers recognise a record by ${kept.join(', ')}, which must stay.${others}`];
}

function pointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}
