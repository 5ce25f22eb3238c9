import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { variableOf } from '../config/config.ts';
import { STATUS_IDS } from '../registry/data-stream.ts';
import { EXIT_MISTAKE } from './config-options.ts';
import { callNode, isNodeUrl, messageOf } from './http-client.ts';
import type { Console } from './node.ts';

/* Commands that ask a running node over its operator API. */

interface NodeFlags {
  readonly url: string;
  readonly operatorToken?: string;
  readonly json?: true;
}

interface StreamFlags extends NodeFlags {
  readonly state?: string;
  readonly organisation?: number;
}

interface TailFlags extends StreamFlags {
  readonly interval: number;
}

interface StreamView {
  readonly id: string;
  readonly organisation_id: number;
  readonly name: string | null;
  readonly connection_type: string;
  readonly status: { readonly description: string; readonly message: string };
  readonly lag_seconds: number | null;
  readonly progress: { readonly delivered: number; readonly pending: number };
}

/** `simstream organisations`, `simstream streams`, `simstream tail`. */
export function addOperatorCommands(program: Command, console: Console, done: (code: number) => void): void {
  nodeCommand(program, 'organisations', 'List the organisations of a running node.').action(
    async (flags: NodeFlags) => done(await run(flags, console, (ask) => organisations(ask, flags, console))),
  );
  streamCommand(program, 'streams', 'List the data streams of all organisations of a running node.').action(
    async (flags: StreamFlags) => done(await run(flags, console, (ask) => streams(ask, flags, console))),
  );
  streamCommand(
    program,
    'tail',
    'Print each change of state and of the backlog of data streams, until a signal ends it.',
  )
    .option('--interval <seconds>', 'how often to ask the node', seconds, 2)
    .action(async (flags: TailFlags) =>
      done(await run(flags, console, (ask, stop) => tail(ask, flags, console, stop))),
    );
}

function nodeCommand(program: Command, name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .option('--url <url>', 'URL of the node, or of its operator side', 'http://127.0.0.1:8080')
    .option('--operator-token <token>', `operator token [${variableOf('operatorToken')}]`)
    .option('--json', 'print one JSON object per line');
}

function streamCommand(program: Command, name: string, description: string): Command {
  return nodeCommand(program, name, description)
    .addOption(
      new Option('--state <state>', 'only data streams in this state').choices(Object.keys(STATUS_IDS)),
    )
    .option('--organisation <id>', 'only data streams of this organisation', organisationId);
}

type Ask = (path: string) => Promise<unknown>;

async function run(
  { url, operatorToken }: NodeFlags,
  console: Console,
  command: (ask: Ask, stop: AbortSignal) => Promise<void>,
): Promise<number> {
  const token = operatorToken ?? console.environment[variableOf('operatorToken')];
  if (!token || !isNodeUrl(url)) {
    console.printError(
      token
        ? `--url is ${JSON.stringify(url)}; allowed: the URL of a node, http://host:port.`
        : `The operator token is missing: --operator-token or ${variableOf('operatorToken')}.`,
    );
    return EXIT_MISTAKE;
  }
  const stop = new AbortController();
  const ignore = console.onSignal(() => stop.abort());
  try {
    await command(async (path) => {
      const answer = await callNode({
        method: 'GET',
        url: new URL(path, url).href,
        token,
        signal: stop.signal,
      });
      if (answer.status !== 200) throw new Error(messageOf(answer));
      return answer.body;
    }, stop.signal);
    return 0;
  } catch (error) {
    if (stop.signal.aborted) return 0;
    console.printError(error instanceof Error ? error.message : String(error));
    return 1;
  } finally {
    ignore();
  }
}

async function organisations(ask: Ask, { json }: NodeFlags, console: Console): Promise<void> {
  for (let page = 1; ; page++) {
    const found = (await ask(`/operator/v1/organisations?page=${page}&per_page=${PAGE}`)) as readonly {
      readonly id: number;
      readonly name: string;
      readonly parent_id: number | null;
    }[];
    for (const { id, name, parent_id: parent } of found)
      console.print(
        json
          ? JSON.stringify({ id, name, parent_id: parent })
          : `${id}  ${clean(name)}${parent === null ? '' : `  (below ${parent})`}`,
      );
    if (found.length < PAGE) return;
  }
}

const PAGE = 1_000;

async function streams(ask: Ask, flags: StreamFlags, console: Console): Promise<void> {
  for await (const stream of allStreams(ask, flags))
    console.print(flags.json ? JSON.stringify(stream) : lineOf(stream));
}

/** Prints changes since the last round; the first round prints all. */
async function tail(ask: Ask, flags: TailFlags, console: Console, stop: AbortSignal): Promise<void> {
  const shown = new Map<string, string>();
  while (!stop.aborted) {
    const found = new Set<string>();
    for await (const stream of allStreams(ask, flags)) {
      const key = `${stream.organisation_id}.${stream.id}`;
      const { status, progress } = stream;
      const what = JSON.stringify([status.description, status.message, progress.pending > 0]);
      found.add(key);
      if (shown.get(key) === what) continue;
      shown.set(key, what);
      const at = new Date().toISOString();
      console.print(flags.json ? JSON.stringify({ at, ...stream }) : `${at}  ${lineOf(stream)}`);
    }
    for (const key of shown.keys()) if (!found.has(key)) shown.delete(key);
    await sleep(flags.interval * 1000, undefined, { signal: stop }).catch(() => undefined);
  }
}

async function* allStreams(ask: Ask, { state, organisation }: StreamFlags): AsyncGenerator<StreamView> {
  const query = new URLSearchParams({ per_page: String(PAGE) });
  if (state !== undefined) query.set('state', state);
  if (organisation !== undefined) query.set('organisation_id', String(organisation));
  for (;;) {
    const page = (await ask(`/operator/v1/data_streams?${query}`)) as {
      readonly data_streams: readonly StreamView[];
      readonly next: string | null;
    };
    yield* page.data_streams;
    if (page.next === null) return;
    query.set('after', page.next);
  }
}

/** `70412 1f2e3d4c  Error    webhook  12 waiting, oldest 340 s  My stream: Refused: …` */
function lineOf({
  id,
  organisation_id: organisation,
  name,
  connection_type: type,
  status,
  lag_seconds: lag,
  progress,
}: StreamView): string {
  const waiting = progress.pending === 0 ? 'nothing waits' : `${progress.pending.toLocaleString('en')} wait`;
  const oldest = lag === null ? '' : `, the oldest for ${Math.round(lag)} s`;
  const label = name === null ? '' : `${clean(name)}: `;
  return `${organisation} ${id}  ${status.description.padEnd(8)} ${type}  ${waiting}${oldest}  ${label}${clean(status.message)}`;
}

/** Names are their users' own: no control or direction marks may reach the terminal. */
function clean(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, ' ');
}

function organisationId(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value > 0) return value;
  throw new InvalidArgumentError('It must be the id of an organisation, a positive integer.');
}

function seconds(text: string): number {
  const value = Number(text);
  if (value >= 1 && value <= 3_600) return value;
  throw new InvalidArgumentError('It must be a number of seconds from 1 to 3600.');
}
