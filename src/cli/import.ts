import { type Command, Option } from 'commander';
import { variableOf } from '../config/config.ts';
import {
  type ImportOutcome,
  importRecords,
  type Portion,
  type PostAnswer,
  portionsOf,
  type RecordFault,
} from '../ingest/file-import.ts';
import { digestOf, type ImportState, loadImportState, saveImportState } from '../ingest/import-state.ts';
import { mappedPortions } from '../ingest/mapped-portions.ts';
import { Sessions } from '../ingest/mapping/sessions.ts';
import { fileFault } from '../lib/file-fault.ts';
import { systemClock, systemRandom } from '../lib/system-clock.ts';
import { KIND_NAMES, KINDS, type RecordKind } from '../records/kinds.ts';
import { RecordReader } from '../records/record-reader.ts';
import { scanBody } from '../records/scan.ts';
import { EXIT_MISTAKE } from './config-options.ts';
import { callNode, type HttpAnswer, messageOf } from './http-client.ts';
import { type ImportFlags, planOf, SHOWN } from './import-plan.ts';
import { inputFile } from './input-file.ts';
import type { Console } from './node.ts';

/** `simstream import`: sends records from files to a running node. */
export function addImport(program: Command, console: Console, done: (code: number) => void): void {
  program
    .command('import')
    .description(
      'Import records into a running node, from files with one JSON record per line, or with --mapping from CSV or JSON of another platform (.gz and .zst are unpacked).',
    )
    .usage('[options] <files...>')
    .argument('[files...]', 'files, in this order; - for standard input')
    .addOption(new Option('--kind <kind>', 'kind of the records: usage, events or sms').choices(KIND_NAMES))
    .option('--mapping <file>', 'mapping of the records of another platform')
    .option(
      '--state <file>',
      'file in which a mapping of cumulative counters keeps the sessions between imports',
    )
    .option(
      '--dry-run [records]',
      `send nothing: show the first records (${SHOWN}), and the faults of the others`,
    )
    .option('--url <url>', 'URL of the node', 'http://127.0.0.1:8080')
    .option('--operator-token <token>', `operator token [${variableOf('operatorToken')}]`)
    .addOption(
      new Option(
        '--invalid <what>',
        'skip: import the valid records of a file, and leave out the invalid ones',
      ).choices(['skip']),
    )
    .option('--json', 'print one JSON object per file')
    .action(async (files: string[], given: ImportFlags) => {
      const { flags, own } = dryRunFile(given);
      done(await importFiles([...own, ...files], flags, console));
    });
}

/** The number behind `--dry-run` may be missing. Then the first file stands there. */
function dryRunFile(flags: ImportFlags): { readonly flags: ImportFlags; readonly own: readonly string[] } {
  const { dryRun } = flags;
  if (typeof dryRun !== 'string' || /^-?\d+(\.\d*)?$/.test(dryRun)) return { flags, own: [] };
  return { flags: { ...flags, dryRun: true }, own: [dryRun] };
}

async function importFiles(names: readonly string[], flags: ImportFlags, console: Console): Promise<number> {
  if (names.length === 0) {
    console.printError('Say which files to import; - is the standard input.');
    return EXIT_MISTAKE;
  }
  const plan = planOf(flags, console.environment);
  if ('mistake' in plan) {
    console.printError(plan.mistake);
    return EXIT_MISTAKE;
  }
  const { kind, mapping, statePath, shown, token } = plan;
  let state: ImportState = { sessions: new Sessions(), files: [] };
  if (statePath !== undefined && mapping) {
    const loaded = loadImportState(statePath, mapping.name);
    if (loaded.type === 'invalid') {
      console.printError(`${statePath}: ${loaded.message}`);
      return EXIT_MISTAKE;
    }
    state = loaded.state;
  }
  // All of them before the first is sent: a name with a slip must not end the import in its middle.
  const files = names.map(inputFile);
  const faults = files.flatMap((file) => ('fault' in file ? [`${file.name}: ${file.fault}`] : []));
  if (faults.length > 0) {
    for (const fault of faults) console.printError(fault);
    console.printError('Nothing was imported.');
    return EXIT_MISTAKE;
  }
  let faulty = false;
  for (const input of files) {
    if ('fault' in input) continue;
    const { name: file, open } = input;
    const digest = statePath === undefined || file === '-' ? undefined : await digestOf(open());
    if (typeof digest === 'string' && state.files.includes(digest)) {
      if (flags.json) console.print(JSON.stringify({ file, imported_before: true }));
      else console.print(`${file}: nothing imported, because an earlier import has imported the whole file`);
      continue;
    }
    const records: string[] = [];
    const outcome = await importRecords({
      kind,
      portions: mapping ? mappedPortions(mapping, open(), state.sessions) : portionsOf(open()),
      clock: systemClock,
      random: systemRandom,
      skipInvalid: flags.invalid === 'skip' || shown !== undefined,
      post:
        shown === undefined
          ? (portion, key) => post({ ...flags, kind }, token, portion, key)
          : dryPost(kind, shown, flags.json ? (text) => records.push(text) : console.print),
      progress: ({ waiting }) => {
        if (waiting !== undefined) console.printError(`${file}: waiting: ${waiting}`);
      },
    });
    if (flags.json) console.print(jsonOf(file, outcome, shown === undefined ? undefined : records));
    else report(file, outcome, shown !== undefined, console);
    if (outcome.failure !== undefined) return 1;
    faulty ||= shown !== undefined && outcome.skipped > 0;
    if (statePath === undefined || !mapping || shown !== undefined) continue;
    state = { ...state, files: digest === undefined ? state.files : [...state.files, digest] };
    try {
      saveImportState(statePath, mapping.name, state);
    } catch (error) {
      console.printError(`${statePath} cannot be written: ${fileFault(error)}`);
      console.printError(
        `The records of ${file} are stored. Import this file again, with the state as it is: nothing is stored twice.`,
      );
      return 1;
    }
  }
  return faulty ? 1 : 0;
}

function report(file: string, outcome: ImportOutcome, dry: boolean, console: Console): void {
  for (const { line, path, message } of outcome.faults) {
    console.printError(`${file}:${line}: ${path ? `${path}: ` : ''}${message}`);
  }
  console.print(`${file}: ${dry ? drySummaryOf(outcome) : summaryOf(outcome)}`);
  if (outcome.failure === undefined) return;
  console.printError(`${file}: stopped: ${outcome.failure}`);
  if (!dry) console.printError(adviceFor(outcome));
}

/** @param records that a dry run shows, as they would be sent */
function jsonOf(file: string, outcome: ImportOutcome, records: readonly string[] | undefined): string {
  const { stored, repeated, skipped, leftOut, faults, failure = null } = outcome;
  const counts = records ? { valid: stored } : { imported: stored, repeated };
  const text = JSON.stringify({ file, ...counts, invalid: skipped, left_out: leftOut, faults, failure });
  return records ? `${text.slice(0, -1)},"records":[${records.join(',')}]}` : text;
}

/** In place of sending: checks the records as a node would, and shows the first of them. */
function dryPost(kind: RecordKind, shown: number, print: (text: string) => unknown) {
  const reader = new RecordReader(kind);
  let left = shown;
  return async ({ body, lines }: Portion): Promise<PostAnswer> => {
    const { columns, faults, rejected } = await scanBody(reader, body, 'ndjson');
    const invalid = new Set(rejected);
    for (const [at, text] of body.toString('utf8').split('\n').slice(0, -1).entries()) {
      if (left === 0) break;
      if (invalid.has(at)) continue;
      print(text);
      left--;
    }
    return {
      type: 'accepted',
      accepted: columns.count,
      repeated: false,
      faults: faults.slice(0, lines.length),
    };
  };
}

const EMPTY = 'no records: the file is empty';

function drySummaryOf({ stored, skipped, leftOut, failure }: ImportOutcome): string {
  if (stored + skipped + leftOut === 0 && failure === undefined) return EMPTY;
  const others = [
    ...(skipped > 0 ? [`${counted(skipped)} invalid`] : []),
    ...(leftOut > 0 ? [`${counted(leftOut)} left out by the mapping`] : []),
  ];
  return [`nothing sent; ${counted(stored)} valid`, ...others].join(', ');
}

/** `1,200 records imported, 1,000 stored by an earlier import, 3 invalid and left out`; says so if there were no records. */
function summaryOf({ stored, repeated, skipped, leftOut, failure }: ImportOutcome): string {
  if (stored + repeated + skipped + leftOut === 0 && failure === undefined) return EMPTY;
  const parts = [
    ...(repeated > 0 ? [`${counted(repeated)} stored by an earlier import`] : []),
    ...(skipped > 0 ? [`${counted(skipped)} invalid and left out`] : []),
    ...(leftOut > 0 ? [`${counted(leftOut)} left out by the mapping`] : []),
  ];
  return [`${counted(stored)} imported`, ...parts].join(', ');
}

function counted(records: number): string {
  return `${records.toLocaleString('en')} ${records === 1 ? 'record' : 'records'}`;
}

function adviceFor({ stored, repeated }: ImportOutcome): string {
  if (stored + repeated === 0) return 'Nothing of this file is stored.';
  return 'What was imported before is stored. Import the same file again within a day: nothing is stored twice.';
}

async function post(
  flags: Pick<ImportFlags, 'url' | 'invalid'> & { readonly kind: RecordKind },
  token: string,
  portion: Portion,
  key: string,
): Promise<PostAnswer> {
  const url = new URL(`/operator/v1/records/${KINDS[flags.kind].name}`, flags.url);
  if (flags.invalid) url.searchParams.set('invalid', flags.invalid);
  let answer: HttpAnswer;
  try {
    answer = await callNode({
      method: 'POST',
      url: url.href,
      token,
      lines: portion.body,
      idempotencyKey: key,
    });
  } catch (error) {
    return { type: 'busy', afterMs: 0, cause: error instanceof Error ? error.message : String(error) };
  }
  const { status, retryAfterMs } = answer;
  const { accepted, errors } = (answer.body ?? {}) as { accepted?: number; errors?: RecordFault[] };
  const faults = Array.isArray(errors) ? errors.filter(({ index }) => typeof index === 'number') : [];
  if (status === 202) {
    return {
      type: 'accepted',
      accepted: accepted ?? portion.lines.length,
      repeated: answer.replayed,
      faults,
    };
  }
  if (status === 429 || status >= 500) {
    return { type: 'busy', afterMs: retryAfterMs, cause: messageOf(answer) };
  }
  return { type: 'refused', cause: messageOf(answer), faults };
}
