import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { freePort } from '../../tests/support/free-port.ts';
import { removeDirectory, spawnOwned, temporaryDirectory } from '../../tests/support/owned.ts';
import { TEMPLATES } from '../../tests/support/usage-records.ts';
import { waitFor } from '../../tests/support/wait-for.ts';
import { createBusyStream, driveNode, withNode } from '../bench-node.ts';
import { cpuTime, memory } from '../process-usage.ts';
import { type Child, startChild } from '../processes/calls.ts';
import type { ProducerCalls } from '../processes/producer.ts';
import { describeMachine, renderMachine, renderTable } from '../report.ts';
import { startRig } from '../rig.ts';
import { type Figure, figure } from '../scenario.ts';
import type { CounterCalls } from './counter.ts';
import type { LinesCalls } from './lines.ts';
import { PEERS, type Peer, versionOf } from './peers.ts';

/** simstream beside Fluent Bit and syslog-ng, with the same records on the same machine: `npm run bench:peers`. */

const BATCH = 1_000;
const CONNECTIONS = 8;
const WARM_UP = 24_000;
const ORGANISATION = 1_000_001;
const STALLED_MS = 20_000;
/** Of what a peer writes, characters that are shown if it does not start. */
const MOST_SAID = 2_000;
const DOCS = fileURLToPath(new URL('../../docs/benchmarks.md', import.meta.url));

interface Measured {
  readonly perSecond: number;
  readonly cpuMicros: number;
}

interface Row {
  readonly name: string;
  readonly durable: string;
  readonly rounds: readonly Measured[];
  readonly peakBytes: number;
  readonly faults: readonly string[];
}

await new Command('npm run bench:peers --')
  .description(
    'Measures simstream beside those of Fluent Bit and syslog-ng that are installed. See docs/benchmarks.md.',
  )
  .option('--records <n>', 'records per round, a multiple of 8,000', Number, 200_000)
  .option('--rounds <n>', 'rounds after a warm-up', Number, 3)
  .option('--write-docs', 'put the table into docs/benchmarks.md')
  .action(run)
  .parseAsync();

async function run({ records, rounds, writeDocs }: { records: number; rounds: number; writeDocs?: boolean }) {
  const shape = { records, batch: BATCH, connections: CONNECTIONS };
  const rows = [await measureNode(shape, rounds)];
  for (const peer of PEERS) {
    const version = versionOf(peer);
    if (version === undefined) {
      process.stderr.write(`  … ${peer.name}: ${peer.command} is not installed\n`);
      continue;
    }
    process.stderr.write(`  … ${peer.name}: ${version}\n`);
    rows.push(await measurePeer(peer, shape, rounds));
  }
  const table = [
    renderMachine(describeMachine()),
    '',
    renderTable('peers', {
      title: `${records.toLocaleString('en')} usage records in requests of ${BATCH}, ${CONNECTIONS} connections; ${rounds} rounds`,
      figures: rows.flatMap(figuresOf),
      holds: 'all records arrived once',
      faults: rows.flatMap(({ name, faults }) => faults.map((fault) => `${name}: ${fault}`)),
    }),
    ...rows.map(({ name, durable }) => `  ${name} is safe: ${durable}`),
  ].join('\n');
  process.stdout.write(`${table}\n`);
  if (writeDocs) {
    const between = /(<!-- results peers -->\n).*(<!-- \/results peers -->)/s;
    const text = readFileSync(DOCS, 'utf8');
    writeFileSync(
      DOCS,
      text.replace(between, (_, start, end) => `${start}\`\`\`\n${table}\n\`\`\`\n${end}`),
    );
  }
  if (rows.some(({ faults }) => faults.length > 0)) process.exitCode = 1;
}

function figuresOf({ name: row, rounds, peakBytes }: Row): Figure[] {
  const column = (name: string, unit: string, values: readonly number[]) => ({
    ...figure(name, unit, values),
    row,
  });
  return [
    column(
      'end to end',
      'records/s',
      rounds.map(({ perSecond }) => perSecond),
    ),
    column(
      'CPU',
      'µs/record',
      rounds.map(({ cpuMicros }) => cpuMicros),
    ),
    column('peak RSS', 'MB', [peakBytes / 1e6]),
  ];
}

interface Shape {
  readonly records: number;
  readonly batch: number;
  readonly connections: number;
}

async function measureNode(shape: Shape, rounds: number): Promise<Row> {
  const rig = await startRig();
  try {
    return await withNode(async (bench) => {
      const stream = await createBusyStream(bench, rig, 'peers');
      const faults: string[] = [];
      const measured: Measured[] = [];
      for (let round = 0; round <= rounds; round++) {
        process.stderr.write(`  … simstream: round ${round} of ${rounds}\n`);
        const drive = await driveNode(
          bench,
          stream,
          rig,
          round === 0 ? { ...shape, records: WARM_UP } : shape,
        );
        faults.push(...drive.faults);
        if (round > 0) measured.push({ perSecond: drive.recordsPerSecond, cpuMicros: drive.cpuMicros });
      }
      const peakBytes = memory(bench.node.pid).peakResident;
      return {
        name: 'simstream',
        durable: 'when the answer comes, by fdatasync',
        rounds: measured,
        peakBytes,
        faults,
      };
    });
  } finally {
    await rig.end();
  }
}

/** One peer, in a directory of its own. */
async function measurePeer(peer: Peer, shape: Shape, rounds: number): Promise<Row> {
  const directory = temporaryDirectory();
  const counter: Child<CounterCalls> = startChild('../peers/counter.ts');
  const producer: Child<ProducerCalls> = startChild('./producer.ts');
  const lines: Child<LinesCalls> = startChild('../peers/lines.ts');
  const ports = await counter.call.ports();
  const port = await freePort();
  const child = spawnOwned(peer.command, peer.configure({ directory, port, ...ports }), {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-MOST_SAID);
  });
  try {
    await waitFor(
      () => `${peer.name} listens; it says: ${said}`,
      () => listens(port),
      30_000,
    );
    const pid = child.pid as number;
    const faults: string[] = [];
    const measured: Measured[] = [];
    let first = 0;
    for (let round = 0; round <= rounds; round++) {
      const records = round === 0 ? WARM_UP : shape.records;
      await counter.call.expect({ first, records });
      const load = { ...shape, records, first, organisationId: ORGANISATION };
      const http = {
        origin: `http://127.0.0.1:${port}`,
        path: '/records',
        token: '',
        kind: 'usage',
      } as const;
      if (peer.takes === 'http') await producer.call.prepare({ ...load, ...http });
      const cpu = cpuTime(pid).total;
      const { startedAt } = await (peer.takes === 'http'
        ? producer.call.run({ ...load, ...http })
        : lines.call.run({ ...load, port }));
      const { distinct, duplicated, lastAt } = await counter.call.settled({ stalledMs: STALLED_MS });
      if (distinct < records) faults.push(`${records - distinct} records lost`);
      if (duplicated > 0) faults.push(`${duplicated} records duplicated`);
      first += Math.ceil(records / TEMPLATES) * TEMPLATES;
      if (round === 0) continue;
      const perSecond = (distinct * 1_000) / (lastAt - startedAt);
      measured.push({ perSecond, cpuMicros: (cpuTime(pid).total - cpu) / records });
    }
    const { name, durable } = peer;
    return { name, durable, rounds: measured, peakBytes: memory(pid).peakResident, faults };
  } finally {
    child.kill('SIGKILL');
    await Promise.all([counter.end(), producer.end(), lines.end()]);
    removeDirectory(directory);
  }
}

async function listens(port: number): Promise<true | undefined> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return undefined;
  } finally {
    socket.destroy();
  }
}
