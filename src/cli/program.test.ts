import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Config } from '../config/config.ts';
import { systemClock } from '../lib/system-clock.ts';
import { createLmdbRegistry } from '../registry/lmdb.ts';
import { openLmdb } from '../storage/lmdb.ts';
import { VERSION } from '../version.ts';
import type { Console, RunningNode, StartServer, StopSignal } from './node.ts';
import { runCommandLine } from './program.ts';

/** A console that writes down what happens, and a node that is none. */
function createStage(environment: Record<string, string> = {}) {
  const listeners = new Set<(signal: StopSignal) => void>();
  const stage = {
    out: '',
    err: '',
    exits: [] as number[],
    started: [] as { config: Config; demo: boolean | undefined }[],
    closing: Promise.withResolvers<void>(),
    /** Settles when a node runs. */
    running: Promise.withResolvers<void>(),
    node: {
      url: 'http://127.0.0.1:1',
      operatorUrl: 'http://127.0.0.1:1',
      operatorToken: { value: 'operator-token-of-the-test', generated: false },
      failed: new Promise<string>(() => {}),
    } as Omit<RunningNode, 'close'>,
    fails: undefined as Error | undefined,
    waits: false,
    closes: 0,
    signal: (signal: StopSignal) => {
      for (const listener of [...listeners]) listener(signal);
    },
    listeners,
  };
  const console: Console = {
    environment: { SIMSTREAM_LOG_LEVEL: 'silent', ...environment },
    terminal: false,
    print: (text) => {
      stage.out += `${text}\n`;
    },
    printError: (text) => {
      stage.err += `${text}\n`;
    },
    onSignal: (run) => {
      listeners.add(run);
      return () => listeners.delete(run);
    },
    exit: (code) => stage.exits.push(code),
  };
  const startServer: StartServer = async (config, { demo, signal }) => {
    stage.started.push({ config, demo });
    if (stage.waits) {
      stage.running.resolve();
      await once(signal, 'abort');
      throw signal.reason;
    }
    if (stage.fails) throw stage.fails;
    return {
      ...stage.node,
      close: async () => {
        stage.closes++;
        await stage.closing.promise;
      },
      get url() {
        stage.running.resolve();
        return stage.node.url;
      },
    };
  };
  const run = (...args: string[]) => runCommandLine(args, console, async () => startServer);
  return Object.assign(stage, { run });
}

describe('the command line', () => {
  test('prints version and help', async () => {
    const stage = createStage();
    assert.equal(await stage.run('--version'), 0);
    assert.equal(stage.out, `${VERSION}\n`);
    assert.equal(await stage.run('--help'), 0);
    for (const command of ['serve', 'demo', 'import'])
      assert.match(stage.out, new RegExp(`^ {2}${command} `, 'm'));
    assert.equal(await stage.run('serve', '--help'), 0);
    assert.match(stage.out, /--data-dir <value>/);
    assert.match(stage.out, /SIMSTREAM_RETENTION, default:\s+7d/);
    assert.equal(stage.err, '');
  });

  test('ends with 2 for what it does not know', async () => {
    const stage = createStage();
    assert.equal(await stage.run('fly'), 2);
    assert.equal(await stage.run('serve', '--fly'), 2);
    assert.equal(await stage.run('demo', '--devices', '-1'), 2);
    assert.equal(await stage.run(), 2);
    assert.match(stage.err, /unknown command 'fly'/);
    assert.match(stage.err, /unknown option '--fly'/);
    assert.match(stage.err, /Allowed: 0 to 100000/);
  });

  test('prints all mistakes of the configuration and ends with 2', async () => {
    const stage = createStage({ SIMSTREAM_PORT: 'eighty' });
    assert.equal(await stage.run('serve', '--partitions', '0', '--retention', 'long'), 2);
    assert.match(stage.err, /has 3 mistakes:\n {2}SIMSTREAM_PORT is "eighty"; allowed/);
    assert.match(stage.err, /--partitions is "0"/);
    assert.deepEqual(stage.started, []);
  });
});

describe('serve', () => {
  test('starts a node with the configuration, and stops it gracefully at a signal', async () => {
    const stage = createStage({ SIMSTREAM_PARTITIONS: '4' });
    const code = stage.run('serve', '--port', '9999');
    await stage.running.promise;
    assert.deepEqual(
      stage.started.map(({ config, demo }) => [config.port, config.partitions, demo]),
      [[9999, 4, false]],
    );
    stage.signal('SIGTERM');
    stage.closing.resolve();
    assert.equal(await code, 0);
    assert.deepEqual([stage.closes, stage.exits, stage.listeners.size], [1, [], 0]);
  });

  test('ends with 1 and the cause when its store is gone', async () => {
    const stage = createStage();
    const gone = Promise.withResolvers<string>();
    stage.node = { ...stage.node, failed: gone.promise };
    const code = stage.run('serve');
    await stage.running.promise;
    gone.resolve('the file of the store was deleted');
    stage.closing.resolve();
    assert.deepEqual([await code, stage.closes], [1, 1]);
    assert.match(stage.err, /simstream stops: the file of the store was deleted/);
  });

  test('a signal ends a start that waits', async () => {
    const stage = createStage();
    stage.waits = true;
    const code = stage.run('serve');
    await stage.running.promise;
    stage.signal('SIGTERM');
    assert.deepEqual([await code, stage.err], [0, '']);
  });

  test('ends at once at a second signal', async () => {
    const stage = createStage();
    const code = stage.run('serve');
    await stage.running.promise;
    stage.signal('SIGTERM');
    stage.signal('SIGTERM');
    assert.deepEqual(stage.exits, [143]);
    stage.closing.resolve();
    await code;
  });

  test('takes the two SIGINT of one Ctrl-C for one', async () => {
    const stage = createStage();
    const code = stage.run('serve');
    await stage.running.promise;
    stage.signal('SIGINT');
    stage.signal('SIGINT');
    assert.deepEqual(stage.exits, []);
    stage.signal('SIGTERM');
    assert.deepEqual(stage.exits, [143]);
    stage.closing.resolve();
    await code;
  });

  test('shows a generated operator token once, and not on standard output', async () => {
    const stage = createStage();
    stage.node = { ...stage.node, operatorToken: { value: 'tok-123', generated: true } };
    const code = stage.run('serve');
    await stage.running.promise;
    stage.signal('SIGTERM');
    stage.closing.resolve();
    await code;
    assert.equal(stage.err.match(/tok-123/g)?.length, 1);
    assert.doesNotMatch(stage.out, /tok-123/);
  });

  test('says what to do when it cannot start', async () => {
    const cases: [Partial<NodeJS.ErrnoException>, RegExp][] = [
      [{ code: 'EADDRINUSE' }, /127\.0\.0\.1:8080 is taken by another program.*--port or SIMSTREAM_PORT/],
      [{ code: 'EADDRNOTAVAIL' }, /not an address of this machine.*--host/],
      [{ code: 'EACCES', syscall: 'listen' }, /port above 1023/],
      [{ code: 'EACCES', syscall: 'mkdir', message: 'EACCES: data' }, /EACCES: data.*--data-dir must be/],
      [{ message: 'the log is of a later version' }, /the log is of a later version/],
    ];
    for (const [error, words] of cases) {
      const stage = createStage();
      stage.fails = Object.assign(new Error(error.message ?? ''), error);
      assert.equal(await stage.run('serve'), 1);
      assert.match(stage.err, words);
      assert.equal(stage.listeners.size, 0);
    }
  });
});

describe('demo', () => {
  test('allows loopback beside what is allowed, and stops with 1 when it cannot be set up', async (context) => {
    const directory = await mkdtemp(join(tmpdir(), 'simstream-'));
    context.after(() => rm(directory, { recursive: true }));
    const stage = createStage({ SIMSTREAM_ALLOW_DESTINATIONS: '10.0.0.0/8' });
    stage.closing.resolve();
    assert.equal(await stage.run('demo', '--data-dir', directory), 1);
    const [{ config, demo } = assert.fail()] = stage.started;
    assert.deepEqual(config.allowDestinations, ['10.0.0.0/8', '127.0.0.0/8', '::1/128']);
    assert.equal(demo, true);
    assert.match(stage.err, /simstream stops: http:\/\/127\.0\.0\.1:1 cannot be reached/);
    assert.equal(stage.closes, 1);
  });
});

describe('simulate', () => {
  test('prints records, or writes them into a file', async (context) => {
    const directory = await mkdtemp(join(tmpdir(), 'simstream-'));
    context.after(() => rm(directory, { recursive: true }));
    const stage = createStage();
    assert.equal(
      await stage.run('simulate', '--kind', 'events', '--records', '7', '--organisation', '70412'),
      0,
    );
    const printed = stage.out.trim().split('\n');
    assert.equal(printed.length, 7);
    assert.ok(printed.every((line) => JSON.parse(line).organisation.id === 70412));
    const file = join(directory, 'usage.ndjson');
    assert.equal(await stage.run('simulate', '--kind', 'usage', '--records', '12', '--output', file), 0);
    assert.equal((await readFile(file, 'utf8')).trim().split('\n').length, 12);
    assert.match(stage.err, /usage\.ndjson: 12 records/);
  });

  test('says what is wrong', async () => {
    const stage = createStage();
    assert.equal(await stage.run('simulate', '--kind', 'events', '--records', '0'), 2);
    assert.match(stage.err, /integer from 1 to 1000000/);
    assert.equal(await stage.run('simulate', '--kind', 'events', '--output', '/nowhere/x'), 2);
    assert.match(stage.err, /cannot be written/);
    assert.equal(await stage.run('simulate'), 2);
  });
});

describe('import', () => {
  async function startNode(
    context: TestContext,
    answer: (call: number) => [status: number, body: unknown, headers?: Record<string, string>],
  ) {
    const requests: { url: string; key: unknown; token: unknown; body: string }[] = [];
    const server = createServer(async (request, response) => {
      const body = (await Array.fromAsync(request as AsyncIterable<Buffer>)).join('');
      const { 'idempotency-key': key, authorization: token } = request.headers;
      requests.push({ url: request.url ?? '', key, token, body });
      const [status, json, headers = {}] = answer(requests.length);
      response
        .writeHead(status, { 'content-type': 'application/json', ...headers })
        .end(JSON.stringify(json));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const directory = await mkdtemp(join(tmpdir(), 'simstream-'));
    context.after(async () => {
      server.close();
      server.closeAllConnections();
      await rm(directory, { recursive: true });
    });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return { requests, url, directory };
  }

  test('sends plain and packed files to the node', async (context) => {
    const { requests, url, directory } = await startNode(context, () => [202, { accepted: 2 }]);
    const lines = '{"id":1}\n{"id":9007199254740993}\n';
    const [plain, packed] = [join(directory, 'a.ndjson'), join(directory, 'b.ndjson.gz')];
    await writeFile(plain, lines);
    await writeFile(packed, gzipSync(lines));
    const stage = createStage({ SIMSTREAM_OPERATOR_TOKEN: 'op' });
    assert.equal(await stage.run('import', '--kind', 'events', '--url', url, plain, packed), 0);
    assert.deepEqual(
      requests.map((request) => [request.url, request.token, request.body]),
      [
        ['/operator/v1/records/events', 'Bearer op', lines],
        ['/operator/v1/records/events', 'Bearer op', lines],
      ],
    );
    assert.match(stage.out, /a\.ndjson: 2 records imported\n.*b\.ndjson\.gz: 2 records imported/);
  });

  test('distinguishes new records from repeated and skipped ones, and says when there are none', async (context) => {
    const answers: [number, object, Record<string, string>?][] = [
      [202, { accepted: 3 }],
      [202, { accepted: 3 }, { 'idempotent-replayed': 'true' }],
      [202, { accepted: 1, rejected: 2, rejected_indexes: [0, 2], errors: [] }],
      [422, { error_code: 1400, message: 'Both are invalid.', errors: [] }],
    ];
    const { url, directory } = await startNode(context, (call) => answers[call - 1] ?? [500, {}]);
    const [file, empty] = [join(directory, 'a.ndjson'), join(directory, 'empty.ndjson')];
    await writeFile(file, '{"id":1}\n{"id":2}\n{"id":3}\n');
    await writeFile(empty, '\n \n');
    const stage = createStage({ SIMSTREAM_OPERATOR_TOKEN: 'op' });
    const files = [empty, file, file, file, file];
    assert.equal(await stage.run('import', '--kind', 'event', '--url', url, ...files), 1);
    assert.deepEqual(
      stage.out
        .trim()
        .split('\n')
        .map((line) => line.slice(line.indexOf(': ') + 2)),
      [
        'no records: the file is empty',
        '3 records imported',
        '0 records imported, 3 records stored by an earlier import',
        '1 record imported, 2 records invalid and left out',
        '0 records imported',
      ],
    );
    assert.match(stage.err, /stopped: Both are invalid\.\n.*Nothing of this file is stored/);
    assert.doesNotMatch(stage.err, /What was imported/);
  });

  test('names the line of an invalid record and ends with 1', async (context) => {
    const { url, directory } = await startNode(context, () => [
      422,
      {
        error_code: 1400,
        message: 'A record is invalid.',
        errors: [{ index: 1, path: '/id', message: 'is missing' }],
      },
    ]);
    const file = join(directory, 'a.ndjson');
    await writeFile(file, '{"id":1}\n\n{}\n');
    const stage = createStage({ SIMSTREAM_OPERATOR_TOKEN: 'op' });
    assert.equal(await stage.run('import', '--kind', 'usage', '--url', url, file), 1);
    assert.match(stage.err, /a\.ndjson:3: \/id: is missing\n.*stopped: A record is invalid\./);
  });

  test('says which option is missing', async () => {
    const stage = createStage();
    assert.equal(await stage.run('import', '--kind', 'usage', 'x.ndjson'), 2);
    assert.equal(await stage.run('import', 'x.ndjson'), 2);
    assert.match(stage.err, /operator token is missing/);
    assert.match(stage.err, /Give the kind of the records: --kind usage, events or sms, or --mapping/);
  });

  test('looks at all files before it sends the first, and says in words what is wrong with each', async (context) => {
    const { requests, url, directory } = await startNode(context, () => [202, { accepted: 1 }]);
    const file = async (name: string, bytes: string | Uint8Array) => {
      await writeFile(join(directory, name), bytes);
      return join(directory, name);
    };
    const good = await file('good.ndjson', '{"id":1}\n');
    const faults: readonly (readonly [string, string])[] = [
      [join(directory, 'missing.ndjson'), 'it does not exist'],
      [directory, 'it is a directory'],
      [join(good, 'inside.ndjson'), 'a part of its path is a file and not a directory'],
      [await file('plain.gz', '{"id":1}\n'), 'it is not gzip, although its name ends with .gz'],
      [await file('gzip.zst', gzipSync('{}')), 'it is not zstd, although its name ends with .zst'],
      [await file('empty.gz', ''), 'it is not gzip, although its name ends with .gz'],
      [
        await file('16.ndjson', Buffer.from('\ufeff{}', 'utf16le')),
        'it is UTF-16: save it as UTF-8, or convert it',
      ],
    ];
    const stage = createStage({ SIMSTREAM_OPERATOR_TOKEN: 'op' });
    const run = (...files: string[]) => stage.run('import', '--kind', 'usage', '--url', url, ...files);
    assert.equal(await run(good, ...faults.map(([name]) => name)), 2);
    assert.deepEqual(stage.err.trim().split('\n'), [
      ...faults.map(([name, words]) => `${name}: ${words}`),
      'Nothing was imported.',
    ]);
    assert.deepEqual([requests.length, stage.out], [0, '']);

    const whole = gzipSync('{"id":1}\n'.repeat(100));
    const cut = await file('cut.gz', whole.subarray(0, whole.length - 9));
    assert.equal(await run(cut), 1);
    assert.match(stage.err, /cut\.gz: stopped: its end is missing: gzip stops in the middle/);
    const misnamed = await file('packed.ndjson', gzipSync('\ufeff{"id":2}\n'));
    assert.equal(await run(misnamed), 0);
    assert.equal(requests.at(-1)?.body, '{"id":2}\n', 'unpacked by what it holds, without a byte order mark');
    const empty = await file('empty.ndjson', '');
    assert.equal(await stage.run('import', '--kind', 'usage', '--dry-run', empty), 0);
    assert.match(stage.out, /empty\.ndjson: no records: the file is empty/);
    const mapping = 'examples/mappings/radius-accounting.mapping.json';
    for (const [state, words] of [
      [directory, 'it is a directory'],
      [join(directory, 'nowhere', 'state'), 'its directory cannot be used: it does not exist'],
      [good, 'it has version undefined'],
      [empty, 'it is not a state of an import'],
    ] as const) {
      stage.err = '';
      assert.equal(await stage.run('import', '--mapping', mapping, '--state', state, '--url', url, good), 2);
      assert.ok(stage.err.startsWith(`${state}: ${words}`), stage.err);
    }
  });
});

describe('import with a mapping', () => {
  const RADIUS = 'examples/mappings/radius-accounting.mapping.json';
  const reports = (...octets: readonly number[]) =>
    octets
      .map((each, at) =>
        JSON.stringify({
          'Acct-Status-Type': 'Interim-Update',
          'Acct-Session-Id': 's',
          'NAS-IP-Address': '10.9.0.1',
          'Event-Timestamp': 1773727200 + each + at,
          Class: 'nordlicht-metering',
          '3GPP-IMSI': '901430100004410',
          'Acct-Input-Octets': 0,
          'Acct-Output-Octets': each,
        }),
      )
      .join('\n');
  const volumes = (bodies: readonly string[]) =>
    bodies.flatMap((body) =>
      body
        .trim()
        .split('\n')
        .map((line) => Math.round(JSON.parse(line).volume.rx * 1e6)),
    );

  async function setUpNode(context: TestContext) {
    const bodies: string[] = [];
    const keys: unknown[] = [];
    /** Requests that are answered; later ones break off. */
    const node = { bodies, keys, url: '', directory: '', answers: Number.POSITIVE_INFINITY };
    const server = createServer(async (request, response) => {
      const body = (await Array.fromAsync(request as AsyncIterable<Buffer>)).join('');
      if (node.answers-- <= 0) return void response.writeHead(422).end('{"message":"It broke off."}');
      bodies.push(body);
      keys.push(request.headers['idempotency-key']);
      response.writeHead(202, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ accepted: body.trim().split('\n').length }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    node.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    node.directory = await mkdtemp(join(tmpdir(), 'simstream-'));
    context.after(async () => {
      server.close();
      server.closeAllConnections();
      await rm(node.directory, { recursive: true });
    });
    return node;
  }

  test('sessions go on from file to file; an import that broke off begins its file anew with the same requests', async (context) => {
    const node = await setUpNode(context);
    const [first, second, state] = ['1.ndjson', '2.ndjson', 'state.json'].map((name) =>
      join(node.directory, name),
    ) as [string, string, string];
    // 1,002 slices: two requests.
    await writeFile(first, reports(...Array.from({ length: 1002 }, (_, at) => at + 1)));
    await writeFile(second, reports(5000, 5100));
    const stage = createStage({ SIMSTREAM_OPERATOR_TOKEN: 'op' });
    const run = () =>
      stage.run('import', '--mapping', RADIUS, '--state', state, '--url', node.url, first, second);
    node.answers = 1;
    assert.equal(await run(), 1);
    assert.match(stage.err, /stopped: It broke off/);
    node.answers = 2;
    assert.equal(await run(), 1);
    assert.equal(node.bodies[0], node.bodies[1]);
    assert.equal(node.keys[0], node.keys[1]);
    assert.deepEqual(volumes(node.bodies.slice(1)), Array(1002).fill(1));
    node.answers = 1;
    assert.equal(await run(), 0);
    assert.deepEqual(volumes(node.bodies.slice(3)), [3998, 100]);
    assert.match(
      stage.out,
      /1\.ndjson: nothing imported, because an earlier import has imported the whole file/,
    );
    assert.equal(await run(), 0);
    assert.equal(node.bodies.length, 4);
  });

  test('a dry run shows the first records and what is wrong with others, and sends nothing', async (context) => {
    const node = await setUpNode(context);
    const file = join(node.directory, 'a.csv');
    const header = 'time,bill_id,sim_id,operation,upload,download\n';
    await writeFile(
      file,
      `${header}2026-03-17 06:02:48,b,192837465,u,1,2\n2026-03-17 06:02:48,b,192837465,u,x,2\n\n1\n`,
    );
    const mapping = join(node.directory, 'one.mapping.json');
    const usage = JSON.parse(await readFile('examples/mappings/onomondo-usage.mapping.json', 'utf8'));
    usage.format = 'csv';
    usage.fields['organisation.id'] = { value: 1 };
    await writeFile(mapping, JSON.stringify(usage));
    const stage = createStage();
    assert.equal(await stage.run('import', '--mapping', mapping, '--dry-run', '--url', node.url, file), 1);
    assert.match(
      stage.out,
      /^\{"id":\d+,.*"rx":0\.000002,"tx":0\.000001,"total":0\.000003\}.*\n.*nothing sent; 1 record valid, 2 records invalid\n$/,
    );
    assert.match(
      stage.err,
      /a\.csv:3: \/volume\/tx: upload is "x": it is not a number\n.*a\.csv:5: the line has 1 values where there are 6 columns\n$/,
    );
    assert.equal(node.bodies.length, 0);
    const shown = stage.out;
    stage.out = '';
    assert.equal(await stage.run('import', '--mapping', mapping, '--url', node.url, '--dry-run', file), 1);
    assert.equal(stage.out, shown, 'a file may stand behind --dry-run');
    assert.equal(await stage.run('import', '--mapping', mapping, '--dry-run'), 2);
    assert.match(stage.err, /which files/);
    assert.equal(
      await stage.run('import', '--mapping', mapping, '--url', node.url, '--operator-token', 'op', file),
      1,
    );
    assert.match(stage.err, /stopped: 2 of 3 records cannot be mapped/);
    stage.out = '';
    assert.equal(await stage.run('import', '--mapping', mapping, '--dry-run', '1', '--json', file), 1);
    const dry = JSON.parse(stage.out);
    assert.deepEqual([dry.valid, dry.invalid, dry.left_out, dry.failure], [1, 2, 0, null]);
    assert.deepEqual(dry.records[0].volume, { rx: 0.000002, tx: 0.000001, total: 0.000003 });
    assert.deepEqual(
      dry.faults.map(({ line }: { line: number }) => line),
      [3, 5],
    );
    assert.equal(node.bodies.length, 0);
    assert.equal(
      await stage.run(
        'import',
        '--mapping',
        mapping,
        '--invalid',
        'skip',
        '--url',
        node.url,
        '--operator-token',
        'op',
        file,
      ),
      0,
    );
    assert.equal(node.bodies.length, 1);
  });

  test('says which flags do not fit', async () => {
    const stage = createStage({ SIMSTREAM_OPERATOR_TOKEN: 'op' });
    const run = (...flags: string[]) => stage.run('import', ...flags, 'x');
    assert.equal(await run('--mapping', RADIUS), 2);
    assert.equal(await run('--mapping', RADIUS, '--kind', 'events'), 2);
    assert.equal(await run('--mapping', 'examples/mappings/wavely-usage.mapping.json', '--state', 's'), 2);
    assert.equal(await run('--kind', 'usage', '--state', 's'), 2);
    assert.equal(await run('--mapping', '/nowhere.json'), 2);
    assert.equal(await run('--kind', 'usage', '--dry-run', '1.5'), 2);
    assert.match(
      stage.err,
      /name a file with --state.*\n--kind is events, but the mapping makes usage\.\n--state is for mappings with.*\n--state belongs to --mapping\.\n.*it does not exist\n--dry-run is "1\.5"/,
    );
  });
});

describe('check, backup, restore and repair', () => {
  test('work on the directory that is named, and say what they did', async () => {
    const parent = await mkdtemp(join(tmpdir(), 'simstream-cli-'));
    const directory = join(parent, 'data');
    try {
      const lmdb = await openLmdb(directory, { clock: systemClock });
      await createLmdbRegistry(lmdb).put('thing.1', { a: 1 });
      const stage = createStage({ SIMSTREAM_DATA_DIR: directory });
      assert.equal(await stage.run('check'), 1);
      assert.match(stage.err, /simstream cannot check: .*in use by another simstream process/);
      assert.equal(await stage.run('backup', '--to', join(parent, 'backup')), 0);
      assert.match(
        stage.out,
        /documents thing: 1\nCopied to .*backup, as it was at .*\nThe copy does not contain the secret/,
      );
      await lmdb.close();
      assert.equal(await stage.run('check'), 0);
      assert.match(stage.out, /The store is sound\.\n$/);
      assert.equal(await stage.run('repair'), 0);
      assert.match(stage.out, /The store is sound: nothing was changed\.\n$/);
      assert.equal(await stage.run('restore', '--from', join(parent, 'backup')), 1);
      assert.match(stage.err, /cannot restore: .* is not empty/);
      stage.out = '';
      const target = join(parent, 'restored');
      const flags = ['--from', join(parent, 'backup'), '--data-dir', target, '--json'];
      assert.equal(await stage.run('restore', ...flags), 0);
      const { to, secret, check } = JSON.parse(stage.out);
      assert.deepEqual([to, secret, check.documents], [target, false, { thing: 1 }]);
    } finally {
      await rm(parent, { recursive: true });
    }
  });
});

describe('organisations, streams and tail', () => {
  const stream = (id: string, state: string, pending: number) => ({
    id,
    organisation_id: 70412,
    name: 'Meters\u001b[2J',
    connection_type: 'RestApi',
    status: { description: state, message: 'As it is.' },
    lag_seconds: pending === 0 ? null : 12.4,
    progress: { delivered: 1, pending },
  });

  test('ask a node, page by page, and print what it answers', async () => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(`${request.headers.authorization} ${request.url}`);
      const second = request.url?.includes('after=stream.1.a');
      const body = request.url?.startsWith('/operator/v1/organisations')
        ? [{ id: 70412, name: 'Nordlicht', parent_id: 7 }]
        : {
            data_streams: [second ? stream('b', 'Running', 0) : stream('a', 'Error', 1234)],
            next: second ? null : 'stream.1.a',
          };
      response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const { port } = server.address() as AddressInfo;
      const stage = createStage({ SIMSTREAM_OPERATOR_TOKEN: 'op' });
      const at = ['--url', `http://127.0.0.1:${port}`];
      assert.equal(await stage.run('organisations', ...at), 0);
      assert.equal(stage.out, '70412  Nordlicht  (below 7)\n');
      stage.out = '';
      assert.equal(await stage.run('streams', ...at, '--state', 'error', '--organisation', '70412'), 0);
      assert.deepEqual(stage.out.split('\n'), [
        '70412 a  Error    RestApi  1,234 wait, the oldest for 12 s  Meters [2J: As it is.',
        '70412 b  Running  RestApi  nothing waits  Meters [2J: As it is.',
        '',
      ]);
      assert.equal(
        asked[1],
        'Bearer op /operator/v1/data_streams?per_page=1000&state=error&organisation_id=70412',
      );
      stage.out = '';
      const tail = stage.run('tail', ...at, '--json');
      while (stage.out.split('\n').length < 3) await new Promise((resolve) => setImmediate(resolve));
      stage.signal('SIGTERM');
      assert.equal(await tail, 0);
      const lines = stage.out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { id: string });
      assert.deepEqual(
        lines.map(({ id }) => id),
        ['a', 'b'],
      );
    } finally {
      server.close();
    }
  });

  test('say what is missing or unreachable', async () => {
    const stage = createStage();
    assert.equal(await stage.run('streams'), 2);
    for (const url of ['nowhere', 'ftp://host', 'localhost:8080'])
      assert.equal(await stage.run('streams', '--operator-token', 'x', '--url', url), 2, url);
    assert.equal(await stage.run('streams', '--operator-token', 'x', '--url', 'http://127.0.0.1:1'), 1);
    assert.match(
      stage.err,
      /operator token is missing[\s\S]*allowed: the URL of a node[\s\S]*127\.0\.0\.1:1 cannot be reached/,
    );
  });
});
