import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
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
import { systemClock, systemRandom } from '../lib/system-clock.ts';
import type { RecordKind } from '../records/block.ts';
import { EXIT_MISTAKE } from './config-options.ts';
import { callNode, type HttpAnswer, messageOf } from './http-client.ts';
import type { Console } from './node.ts';

interface ImportFlags {
  readonly kind: 'usage' | 'events' | 'event';
  readonly url: string;
  readonly operatorToken?: string;
  readonly invalid?: 'skip';
}

/** `simstream import`: sends records from NDJSON files to a running node. */
export function addImport(program: Command, console: Console, done: (code: number) => void): void {
  program
    .command('import')
    .description(
      'Import records into a running node, from files with one JSON record per line (.gz and .zst are unpacked).',
    )
    .argument('<files...>', 'files, in this order; - for standard input')
    .addOption(
      new Option('--kind <kind>', 'kind of the records: usage or events')
        .choices(['usage', 'events', 'event'])
        .makeOptionMandatory(),
    )
    .option('--url <url>', 'URL of the node', 'http://127.0.0.1:8080')
    .option('--operator-token <token>', `operator token [${variableOf('operatorToken')}]`)
    .addOption(
      new Option('--invalid <what>', 'skip: import the valid records of a file that has others').choices([
        'skip',
      ]),
    )
    .action(async (files: string[], flags: ImportFlags) => done(await importFiles(files, flags, console)));
}

async function importFiles(files: readonly string[], flags: ImportFlags, console: Console): Promise<number> {
  const token = flags.operatorToken ?? console.environment[variableOf('operatorToken')];
  if (!token) {
    console.printError(`The operator token is missing: --operator-token or ${variableOf('operatorToken')}.`);
    return EXIT_MISTAKE;
  }
  if (!URL.canParse(flags.url)) {
    console.printError(
      `--url is ${JSON.stringify(flags.url)}; allowed: the URL of a node, http://host:port.`,
    );
    return EXIT_MISTAKE;
  }
  const kind: RecordKind = flags.kind === 'usage' ? 'usage' : 'event';
  for (const file of files) {
    const outcome = await importRecords({
      kind,
      portions: portionsOf(open(file)),
      clock: systemClock,
      random: systemRandom,
      post: (portion, key) => post({ ...flags, kind }, token, portion, key),
      progress: ({ waiting }) => {
        if (waiting !== undefined) console.printError(`${file}: waiting: ${waiting}`);
      },
    });
    for (const { line, path, message } of outcome.faults) {
      console.printError(`${file}:${line}: ${path ? `${path}: ` : ''}${message}`);
    }
    console.print(`${file}: ${summaryOf(outcome)}`);
    if (outcome.failure !== undefined) {
      console.printError(`${file}: stopped: ${outcome.failure}`);
      console.printError(adviceFor(outcome));
      return 1;
    }
  }
  return 0;
}

/** `1,200 records imported, 1,000 stored by an earlier import, 3 invalid and left out`; says so if there were no records. */
function summaryOf({ stored, repeated, skipped, failure }: ImportOutcome): string {
  const parts = [
    ...(repeated > 0 ? [`${counted(repeated)} stored by an earlier import`] : []),
    ...(skipped > 0 ? [`${counted(skipped)} invalid and left out`] : []),
  ];
  if (stored + repeated + skipped === 0 && failure === undefined) return 'no records: the file is empty';
  return [`${counted(stored)} imported`, ...parts].join(', ');
}

function counted(records: number): string {
  return `${records.toLocaleString('en')} ${records === 1 ? 'record' : 'records'}`;
}

function adviceFor({ stored, repeated }: ImportOutcome): string {
  if (stored + repeated === 0) return 'Nothing of this file is stored.';
  return 'What was imported before is stored. Import the same file again within a day: nothing is stored twice.';
}

function open(file: string): Readable {
  if (file === '-') return process.stdin;
  const source = createReadStream(file);
  const unpack = file.endsWith('.gz')
    ? createGunzip()
    : file.endsWith('.zst')
      ? createZstdDecompress()
      : undefined;
  if (!unpack) return source;
  source.on('error', (error) => unpack.destroy(error));
  return source.pipe(unpack);
}

async function post(
  flags: Pick<ImportFlags, 'url' | 'invalid'> & { readonly kind: RecordKind },
  token: string,
  portion: Portion,
  key: string,
): Promise<PostAnswer> {
  const path = flags.kind === 'usage' ? 'usage' : 'events';
  const url = new URL(`/operator/v1/records/${path}`, flags.url);
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
