import { createHash } from 'node:crypto';
import type { Quarantined } from '../../delivery/quarantine/document.ts';
import { charged } from '../../lib/call-cost.ts';
import { nextSlice } from '../../lib/slices.ts';

/** Records of a quarantine that were refused for the same reason. */
interface QuarantineGroup {
  /** Names the group in other calls, for as long as it has records. */
  readonly group: string;
  readonly code: string;
  readonly remoteStatus: number | undefined;
  /** The cause of the newest record, as the destination gave it. */
  message: string;
  records: number;
  /** Milliseconds since the epoch: when the first and the last of them were quarantined. */
  firstAt: number;
  lastAt: number;
  /** The newest record of the group. */
  example: Quarantined;
}

interface QuarantineGroups {
  /** The largest first. */
  readonly groups: readonly QuarantineGroup[];
  /** The number of counted records. */
  readonly records: number;
  /** The quarantine has more records than one call counts; the counts are of the oldest. */
  readonly more: boolean;
}

/** A quarantine of this many is read in about 0.1 s. With a greater limit one customer could keep a node busy. */
const MOST_RECORDS = 10_000;
/** Characters of records that one call reads at most, for quarantines of large records. */
const MOST_CHARACTERS = 32 * 2 ** 20;
/** Receivers that word each refusal differently would make one group per record; groups beyond this number are not listed. */
const MOST_GROUPS = 50;
/** Records between two pauses in which the node does other work: about a millisecond. */
const SLICE = 100;
/** Causes whose group is kept during one call: a receiver mostly refuses with the same few words. */
const MOST_CAUSES = 1_000;

/** Counts the records of a quarantine by the reason of their refusal. */
export async function groupQuarantined(
  quarantined: AsyncIterable<Quarantined>,
  limits: { readonly records: number; readonly characters: number } = {
    records: MOST_RECORDS,
    characters: MOST_CHARACTERS,
  },
): Promise<QuarantineGroups> {
  const groups = new Map<string, QuarantineGroup>();
  const named = namedGroups();
  let records = 0;
  let characters = 0;
  let more = false;
  for await (const record of quarantined) {
    if (records >= limits.records || characters >= limits.characters) {
      more = true;
      break;
    }
    records++;
    characters += record.bytes.length;
    charged(() => count(groups, named(record), record));
    if (records % SLICE === 0) await nextSlice();
  }
  const sorted = [...groups.values()].sort((a, b) => b.records - a.records);
  return { groups: sorted.slice(0, MOST_GROUPS), records, more };
}

/** As `groupOf`, which costs a hash, once for each cause. */
function namedGroups(): typeof groupOf {
  const known = new Map<string, string>();
  return ({ cause }) => {
    const key = `${cause.code} ${cause.remoteStatus} ${cause.message}`;
    const group = known.get(key) ?? groupOf({ cause });
    if (known.size < MOST_CAUSES) known.set(key, group);
    return group;
  };
}

function count(groups: Map<string, QuarantineGroup>, group: string, record: Quarantined): void {
  const known = groups.get(group);
  if (!known) {
    const { at, cause } = record;
    const { code, remoteStatus, message } = cause;
    const first = {
      group,
      code,
      remoteStatus,
      message,
      records: 1,
      firstAt: at,
      lastAt: at,
      example: record,
    };
    groups.set(group, first);
    return;
  }
  known.records++;
  known.firstAt = Math.min(known.firstAt, record.at);
  if (record.at < known.lastAt) return;
  known.lastAt = record.at;
  known.message = record.cause.message;
  known.example = record;
}

/** The parts of a message that belong to one record: ids, numbers, times, quoted values. */
const OF_ONE_RECORD = /"[^"]*"|'[^']*'|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d[\d.:,TZ-]*/gi;

/** The group that a record belongs to: the same cause, in the same words except for the parts of one record. */
export function groupOf({ cause: { code, remoteStatus, message } }: Pick<Quarantined, 'cause'>): string {
  const words = message.replaceAll(OF_ONE_RECORD, '#');
  return createHash('sha256')
    .update(JSON.stringify([code, remoteStatus ?? null, words]))
    .digest('hex')
    .slice(0, 16);
}
