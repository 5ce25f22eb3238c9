import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { generate } from 'selfsigned';
import { freePort } from '../support/free-port.ts';
import { type NatsOptions, type NatsServers, natsMissing, startNats } from '../support/nats-server.ts';
import { startNode } from '../support/node-process.ts';
import { removeDirectory, spawnOwned, temporaryDirectory } from '../support/owned.ts';
import { waitFor } from '../support/wait-for.ts';

const skip = natsMissing() ?? false;
const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const WITHIN_MS = 20_000;
const PASSWORD = 'a-password-of-nats';
const SECRET = Buffer.alloc(32, 7).toString('base64');

const USERS = `accounts {
  simstream { jetstream: enabled, users: [{ user: simstream, password: "${PASSWORD}" }, { user: reader, password: "${PASSWORD}",
    permissions: { publish: "usage.>", subscribe: "_INBOX.>" } }] }
  other { users: [{ user: other, password: "${PASSWORD}" }] }
}`;

describe('a node that starts on NATS', { skip }, () => {
  const directory = temporaryDirectory();
  const opened: NatsServers[] = [];
  let guarded: string;
  let plain: NatsServers;

  const open = async (options: NatsOptions) => {
    const servers = await startNats(options);
    opened.push(servers);
    return servers;
  };
  const withLogin = (login: string) => (url: string) => url.replace('//', `//${login}@`);
  const start = (url: string) => startNode({ dataDirectory: directory, environment: environmentFor(url) });

  /** The node ends by itself, says why and what to do, and no secret. */
  const mustEnd = async (url: string, ...told: RegExp[]) => {
    const ended = await start(url).then(
      () => assert.fail('the node is ready'),
      (error: Error) => error.message,
    );
    assert.match(ended, /ended before it was ready \(code 1\)/);
    assert.match(ended, /check SIMSTREAM_NATS_URL/);
    for (const pattern of told) assert.match(ended, pattern);
    assert.ok(!ended.includes(PASSWORD), ended);
  };

  before(async () => {
    plain = await open({});
    const login = withLogin(`simstream:${PASSWORD}`);
    guarded = (await open({ more: USERS, probe: login })).urls[0] as string;
  });
  after(async () => {
    await Promise.all(opened.map((servers) => servers.dispose()));
    removeDirectory(directory);
  });

  test('with the right login it is ready', async () => {
    const node = await start(withLogin(`simstream:${PASSWORD}`)(guarded));
    assert.deepEqual(await node.stop(), { code: 0, signal: null });
  });

  test('a login that is refused, or none', async () => {
    await mustEnd(
      withLogin(`simstream:${PASSWORD}x`)(guarded),
      /refuses the login \(Authorization Violation\)/,
    );
    await mustEnd(guarded, /refuses the login .*nats:\/\/user:password@host:4222/);
  });

  test('a user without the permissions, and one of an account without JetStream', async () => {
    await mustEnd(withLogin(`reader:${PASSWORD}`)(guarded), /Permissions Violation/, /\$JS\.API\.>/);
    await mustEnd(withLogin(`other:${PASSWORD}`)(guarded), /not enabled for account/, /switch it on/);
  });

  test('a certificate that nobody vouches for, and a server without TLS', async () => {
    const { private: key, cert } = await generate([{ name: 'commonName', value: 'nats.example' }]);
    const [keyFile, certFile] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
    writeFileSync(keyFile, key);
    writeFileSync(certFile, cert);
    const more = `tls { key_file: "${keyFile}", cert_file: "${certFile}" }`;
    const [url] = (await open({ more, probe: undefined })).urls as [string];
    const listening = async () => {
      const refused = await start(url).then(() => '', String);
      return refused.includes('ECONNREFUSED') ? undefined : refused;
    };
    assert.match(await waitFor('the server listens', listening), /is not trusted .*NODE_EXTRA_CA_CERTS/);
    await mustEnd(url.replace('nats:', 'tls:'), /is not trusted .*NODE_EXTRA_CA_CERTS/);
    await mustEnd((plain.urls[0] as string).replace('nats:', 'tls:'), /it has no TLS: write nats:\/\//);
  });

  test('while NATS is away it says so and waits, and is ready when NATS is there', async () => {
    const [url] = plain.urls as [string];
    await plain.kill(0);
    const node = await begin(url);
    await node.says(/waiting: no connection to NATS at nats:\/\/127\.0\.0\.1:\d+: connection refused/);
    await plain.restart(0);
    await waitFor('the node is ready', async () => (await isReady(node.port)) || undefined, WITHIN_MS);
    node.child.kill('SIGTERM');
    assert.equal(await node.exitCode, 0);
  });

  test('while no server has JetStream it says so and waits; SIGTERM ends it', async () => {
    const [url] = (await open({ jetStream: false, probe: undefined })).urls as [string];
    const node = await begin(url);
    await node.says(/JetStream does not answer .* not switched on \(nats-server -js\)/);
    node.child.kill('SIGTERM');
    assert.equal(await node.exitCode, 0);
  });
});

/** Starts a node that will not be ready soon. */
async function begin(url: string) {
  const [port, dataDirectory] = [await freePort(), temporaryDirectory()];
  const child = spawnOwned(process.execPath, [MAIN, 'serve'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      ...environmentFor(url),
      SIMSTREAM_PORT: `${port}`,
      SIMSTREAM_DATA_DIR: dataDirectory,
    },
  });
  const exitCode = once(child, 'exit').then(([code]: (number | null)[]) => code);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  const says = (pattern: RegExp) =>
    waitFor(
      () => `the node says ${pattern}; ${output}`,
      () => pattern.test(output) || undefined,
      WITHIN_MS,
    );
  return { child, port, exitCode, says };
}

async function isReady(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/readyz`).then(
    ({ ok }) => ok,
    () => false,
  );
}

function environmentFor(url: string) {
  return { SIMSTREAM_NATS_URL: url, SIMSTREAM_NATS_REPLICAS: '1', SIMSTREAM_SECRET: SECRET };
}
