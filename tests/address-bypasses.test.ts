import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { after, before, test } from 'node:test';
import { destinationTypes } from '../src/destinations/all.ts';
import { configureDestination } from '../src/destinations/configure.ts';
import type { Configured } from '../src/destinations/contract.ts';
import { createEgress, type SharedEgress } from '../src/destinations/egress.ts';
import { exchange } from '../src/destinations/http/http-exchange.ts';
import { startNameServer } from '../src/destinations/names/name-server.fixture.ts';
import { environmentOf } from '../src/destinations/open.ts';
import { connectorSamples } from '../src/destinations/samples.fixture.ts';
import { systemClock, systemRandom } from '../src/lib/system-clock.ts';

/**
 * Forms in which somebody may write an address that destinations must not have, in every field that a host is made of. None may
 * lead to a connection: not to the trap that listens on loopback, and no attempt to anywhere else.
 */
const FORMS = readFileSync('tests/fixtures/address-bypasses.tsv', 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => line.split('\t') as [form: string, what: string]);

/** What the name server of this test answers: names that anybody can enter into DNS. */
const NAMES: Readonly<Record<string, { readonly a?: string; readonly aaaa?: string }>> = {
  'loopback.example': { a: '127.0.0.1' },
  '127.0.0.1.nip.example': { a: '127.0.0.1' },
  'private.example': { a: '10.0.0.1' },
  'metadata.example': { a: '169.254.169.254' },
  'metadata.google.internal': { a: '169.254.169.254' },
  'linklocal.example': { a: '169.254.1.1', aaaa: 'fe80:0:0:0:0:0:0:1' },
  'cgnat.example': { a: '100.64.0.1' },
  'mapped.example': { aaaa: '0:0:0:0:0:ffff:7f00:1' },
  'nat64.example': { aaaa: '64:ff9b:0:0:0:0:7f00:1' },
  'v6loopback.example': { aaaa: '0:0:0:0:0:0:0:1' },
  'ula.example': { aaaa: 'fd00:0:0:0:0:0:0:1' },
  'broadcast.example': { a: '255.255.255.255' },
  'multicast.example': { a: '224.0.0.1' },
  'zero.example': { a: '0.0.0.0' },
  'mixed.example': { a: '192.168.1.1', aaaa: '0:0:0:0:0:0:0:1' },
};

/** The field, and how a form becomes its value. The other fields have their samples. */
const FIELDS: readonly (readonly [type: string, field: string, value: (form: string) => string])[] = [
  ['RestAPI', 'url', (form) => `http://${form}:${port}/`],
  ['RestAPI', 'url', (form) => `https://${form}:${port}/`],
  ['RestAPI', 'url', (form) => `http://${form}/`],
  [
    'EventHubs',
    'connection_string',
    (form) => `Endpoint=sb://${form}:${port}/;SharedAccessKeyName=k;SharedAccessKey=a2V5;EntityPath=hub`,
  ],
  ['AwsKinesis', 'region', (form) => form],
  ['AwsKinesis', 'stream_name', (form) => form],
  ['S3', 'region', (form) => form],
  ['S3', 'bucket_name', (form) => form],
  ['PubSub', 'cps_project', (form) => form],
  ['PubSub', 'cps_topic', (form) => form],
  ['KeenIO', 'project_id', (form) => form],
  ['KeenIO', 'collection_name', (form) => form],
  ['Datadog', 'region', (form) => form],
];

/** On macOS loopback has one address, unless the others are set up. */
const NO_ALIAS = process.platform === 'darwin' && 'loopback has one address here';

let port = 0;
let egress: SharedEgress;
let nameServer: Awaited<ReturnType<typeof startNameServer>>;
const traps: Server[] = [];
const trapped: string[] = [];
const attempts: string[] = [];
const { connect } = Socket.prototype;

before(async () => {
  const trap = (host: string) => {
    const server = createServer((socket) => {
      trapped.push(`${host}:${port}`);
      socket.destroy();
    });
    traps.push(server);
    return once(server.listen(port, host), 'listening').then(() => server.address() as AddressInfo);
  };
  ({ port } = await trap('127.0.0.1'));
  // A machine without IPv6 has no such loopback to be reached.
  await trap('::1').catch(() => undefined);
  nameServer = await startNameServer();
  nameServer.answer((name) => NAMES[name] ?? 'not-found');
  egress = createEgress({ allow: '', nameServers: [nameServer.address] });
  Socket.prototype.connect = function (this: Socket, ...args: unknown[]) {
    // Nothing leaves this machine, also where this test finds a fault.
    this.on('connectionAttempt', (ip: string) => {
      attempts.push(ip);
      if (ip !== '127.0.0.1' && ip !== '127.0.0.2' && ip !== '::1') this.destroy();
    });
    return Reflect.apply(connect, this, args);
  } as typeof connect;
  // The own identity in a cloud is no matter of a form: it is there, and no service of the machine is asked for it.
  Object.assign(process.env, {
    AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE',
    AWS_SECRET_ACCESS_KEY: 'example',
    AWS_EC2_METADATA_DISABLED: 'true',
    METADATA_SERVER_DETECTION: 'none',
  });
});
after(async () => {
  Socket.prototype.connect = connect;
  await egress.close();
  await nameServer.stop();
  for (const trap of traps) trap.close();
});

test('there are at least 400 forms, each once', () => {
  assert.ok(FORMS.length >= 400);
  assert.equal(new Set(FORMS.map(([form]) => form)).size, FORMS.length);
});

test('the trap is one: what is allowed is reached and noticed', async () => {
  const open = createEgress({ allow: '127.0.0.0/8' });
  const url = `http://127.0.0.1:${port}/`;
  await verdictOf(await configure('RestAPI', 'url', url), open);
  await open.close();
  assert.deepEqual([trapped.splice(0).length, attempts.splice(0)], [1, ['127.0.0.1']]);
});

test('every field of a connection type that a host is made of is among them', () => {
  const covered = new Set(FIELDS.map(([type, field]) => `${type}.${field}`));
  for (const [name, type] of destinationTypes)
    for (const field of Object.keys(type.credentials.properties))
      if (/url|host|endpoint|region|bucket|project|connection_string|account|namespace/.test(field))
        assert.ok(covered.has(`${name}.${field}`) || NO_HOST.has(`${name}.${field}`), `${name}.${field}`);
});
/** Fields with such a name that no host is made of. */
const NO_HOST = new Set(['S3.expected_bucket_owner']);

for (const [type, field, value] of FIELDS) {
  test(`${type}.${field}: ${value('FORM').replace(/\d{4,5}/, 'port')}`, async () => {
    const sample = await connectorSamples(destinationTypes.get(type) as never);
    assert.ok(sample.fields[field], 'the field exists');
    const judge = async ([form, what]: [string, string]): Promise<string | undefined> => {
      const configured = await configure(type, field, value(form));
      if (!configured) return undefined;
      const verdict = await verdictOf(configured, egress);
      const { code } = verdict.type === 'failed' ? verdict.cause : { code: 'reachable' };
      const right = DIRECT.has(type) ? REFUSED.has(code) : code !== 'reachable';
      return right ? undefined : `${form} (${what}): ${code}`;
    };
    const asked = nameServer.questions.length;
    const wrong: string[] = [];
    // Some at a time: each asks for a name, or fails at once.
    for (let at = 0; at < FORMS.length; at += 32)
      for (const found of await Promise.all(FORMS.slice(at, at + 32).map(judge)))
        if (found) wrong.push(found);
    assert.deepEqual(wrong, []);
    assert.deepEqual([trapped, attempts], [[], []]);
    if (!DIRECT.has(type)) {
      const others = nameServer.questions.slice(asked).filter((name) => !VENDORS.test(name));
      assert.deepEqual(others, [], 'only the vendor is asked for, whatever the form');
    }
  });
}
/** Their customers choose the host. The others have names of their vendor, of which a form may become a part. */
const DIRECT = new Set(['RestAPI', 'EventHubs']);
const VENDORS = /(^|\.)(amazonaws\.com(\.cn)?|googleapis\.com|keen\.io|datadoghq\.(com|eu))$/;
/** The address is forbidden, or there is no such name, which a customer cannot tell from a name with a forbidden address. */
const REFUSED = new Set(['forbidden_address', 'dns_error', 'EVENTHUB_UNREACHABLE']);

/** An address that the tests below allow, where a receiver of the customer's choice listens. */
const ALLOWED = '127.0.0.2';

test('no answer of a receiver leads on to an address, in any form, with any status', {
  skip: NO_ALIAS,
}, async () => {
  let form = '';
  let status = 302;
  let answered = 0;
  const receiver = createHttpServer((request, response) => {
    answered++;
    request.resume();
    const url = `http://${form}:${port}/`;
    const headers: Record<string, string> = {
      location: url,
      refresh: `0; url=${url}`,
      'content-location': url,
    };
    // A form with characters that no header may have leads nowhere by itself.
    for (const [name, value] of Object.entries(headers)) {
      try {
        response.setHeader(name, value);
      } catch {
        response.setHeader(name, encodeURI(value));
      }
    }
    response.setHeader('alt-svc', `h2="127.0.0.1:${port}"; ma=60`);
    response.writeHead(status).end();
  });
  await once(receiver.listen(0, ALLOWED), 'listening');
  const way = createEgress({ allow: `${ALLOWED}/32` });
  const url = `http://${ALLOWED}:${(receiver.address() as AddressInfo).port}/`;
  const statuses = [301, 302, 303, 307, 308, 300, 305, 201, 200];
  try {
    for (const [at, [each]] of FORMS.entries()) {
      form = each;
      status = statuses[at % statuses.length] as number;
      await send(url, way);
    }
    assert.equal(answered, FORMS.length);
    assert.deepEqual([trapped.splice(0), new Set(attempts.splice(0))], [[], new Set([ALLOWED])]);
  } finally {
    await way.close();
    receiver.closeAllConnections();
    receiver.close();
  }
});

test('a name whose address changes between two questions leads to an allowed address only', {
  skip: NO_ALIAS,
}, async () => {
  const receiver = createHttpServer((request, response) => {
    request.resume();
    // Each request has a connection, and a question, of its own.
    response.writeHead(200, { connection: 'close' }).end();
  });
  await once(receiver.listen(port, ALLOWED), 'listening');
  const asked = new Map<string, number>();
  nameServer.answer((name) => {
    const times = asked.get(name) ?? 0;
    asked.set(name, times + 1);
    // A question for each family: both belong to one look at the name.
    const good = Math.floor(times / 2) % 2 === (name.startsWith('bad-first') ? 1 : 0);
    if (name.startsWith('both')) return { a: ALLOWED, aaaa: '0:0:0:0:0:0:0:1', ttl: 0 };
    if (name.startsWith('mapped')) return { a: ALLOWED, aaaa: '0:0:0:0:0:ffff:7f00:1', ttl: 0 };
    return { a: good ? ALLOWED : '127.0.0.1', ttl: 0 };
  });
  try {
    for (const kind of ['good-first', 'bad-first', 'both', 'mapped']) {
      for (let at = 0; at < 10; at++) {
        // What was answered is kept for a moment: another way asks anew.
        const way = createEgress({ allow: `${ALLOWED}/32`, nameServers: [nameServer.address] });
        const url = `http://${kind}-${at % 5}.example:${port}/`;
        await Promise.all([send(url, way), send(url, way)]);
        await send(url, way);
        await way.close();
      }
    }
    assert.ok(
      [...asked.values()].every((times) => times >= 2),
      'names were asked for',
    );
    assert.deepEqual([trapped.splice(0), new Set(attempts.splice(0))], [[], new Set([ALLOWED])]);
  } finally {
    nameServer.answer((name) => NAMES[name] ?? 'not-found');
    receiver.closeAllConnections();
    receiver.close();
  }
});

async function send(text: string, way: SharedEgress): Promise<void> {
  const url = new URL(text);
  const headers = ['content-type', 'application/json'];
  const call = { method: 'POST', url, headers, body: Buffer.from('[]') } as const;
  await exchange(call, url.host, { egress: way, clock: systemClock }, AbortSignal.timeout(20_000));
}

/** undefined: the configuration is refused. */
async function configure(type: string, field: string, value: string): Promise<Configured | undefined> {
  const destination = destinationTypes.get(type);
  assert.ok(destination);
  const { fields } = await connectorSamples(destination);
  const needed = Object.entries(fields).filter(([name]) => NEEDED[type]?.includes(name));
  const credentials = {
    ...Object.fromEntries(needed.map(([name, { valid }]) => [name, valid])),
    [field]: value,
  };
  const result = configureDestination(destination, credentials);
  return result.type === 'configured' ? result.configured : undefined;
}
const NEEDED: Readonly<Record<string, readonly string[]>> = {
  RestAPI: ['url'],
  EventHubs: ['connection_string'],
  AwsKinesis: ['region', 'stream_name', 'role_arn'],
  S3: ['region', 'bucket_name', 'role_arn'],
  PubSub: ['cps_project', 'cps_topic'],
  KeenIO: ['project_id', 'write_key', 'collection_name'],
  Datadog: ['api_key', 'region'],
};

async function verdictOf(configured: Configured | undefined, way: SharedEgress) {
  assert.ok(configured);
  const shared = {
    clock: systemClock,
    random: systemRandom,
    egress: way,
    variables: {},
    scratchDirectory: tmpdir(),
  };
  const destination = await configured.open(environmentOf(shared, { organisationId: 1, streamId: 'x' }));
  try {
    return await destination.verify(AbortSignal.timeout(20_000));
  } finally {
    await destination.close();
  }
}
