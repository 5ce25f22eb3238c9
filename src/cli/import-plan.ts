import { variableOf } from '../config/config.ts';
import { loadMapping } from '../ingest/mapping/load.ts';
import type { Mapping } from '../ingest/mapping/map-record.ts';
import { KINDS, kindNamed, type RecordKind } from '../records/kinds.ts';
import { isNodeUrl } from './http-client.ts';
import type { Console } from './node.ts';

export interface ImportFlags {
  readonly kind?: string;
  readonly mapping?: string;
  readonly state?: string;
  readonly dryRun?: string | true;
  readonly url: string;
  readonly operatorToken?: string;
  readonly invalid?: 'skip';
  readonly json?: true;
}

/** Records that a dry run shows. */
export const SHOWN = 5;

/** The flags that an import needs. */
interface Plan {
  readonly kind: RecordKind;
  readonly mapping: Mapping | undefined;
  readonly statePath: string | undefined;
  /** Undefined: the records are sent. */
  readonly shown: number | undefined;
  readonly token: string;
}

/** Reads the flags of an import and the mapping that they name. */
export function planOf(
  flags: ImportFlags,
  environment: Console['environment'],
): Plan | { readonly mistake: string } {
  const token = flags.operatorToken ?? environment[variableOf('operatorToken')]?.trim() ?? '';
  const shown = flags.dryRun === undefined ? undefined : Number(flags.dryRun === true ? SHOWN : flags.dryRun);
  if (shown !== undefined && !(Number.isInteger(shown) && shown >= 0))
    return { mistake: `--dry-run is ${JSON.stringify(flags.dryRun)}; allowed: a whole number of records.` };
  if (!isNodeUrl(flags.url))
    return {
      mistake: `--url is ${JSON.stringify(flags.url)}; allowed: the URL of a node, http://host:port.`,
    };
  const missing =
    shown === undefined && token === ''
      ? {
          mistake: `The operator token is missing: --operator-token or ${variableOf('operatorToken')}.`,
        }
      : undefined;
  const given = flags.kind === undefined ? undefined : kindNamed(flags.kind);
  if (flags.mapping === undefined) {
    if (flags.state !== undefined) return { mistake: '--state belongs to --mapping.' };
    if (!given)
      return {
        mistake: 'Give the kind of the records: --kind usage, events or sms, or --mapping with a file.',
      };
    if (missing) return missing;
    return { kind: given, mapping: undefined, statePath: undefined, shown, token };
  }
  const loaded = loadMapping(flags.mapping);
  if (loaded.type === 'invalid') return { mistake: loaded.faults.join('\n') };
  const { mapping } = loaded;
  if (given && given !== mapping.kind)
    return {
      mistake: `--kind is ${flags.kind}, but the mapping makes ${KINDS[mapping.kind].name}.`,
    };
  if (mapping.cumulative && flags.state === undefined)
    return {
      mistake:
        'The mapping has cumulative counters: name a file with --state, in which sessions wait for the next import.',
    };
  if (!mapping.cumulative && flags.state !== undefined)
    return { mistake: '--state is for mappings with cumulative counters, and this one has none.' };
  if (missing) return missing;
  return { kind: mapping.kind, mapping, statePath: flags.state, shown, token };
}
