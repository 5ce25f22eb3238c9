import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { createServer, getCACertificates, setDefaultCACertificates, type TlsOptions } from 'node:tls';
import { generate } from 'selfsigned';
import { ManualClock, seededRandom } from '../../lib/manual-clock.fixture.ts';
import { sampleBatch } from '../batches.fixture.ts';
import type { BatchDestination } from '../contract.ts';
import { createEgress, type SharedEgress } from '../egress.ts';
import { networkFault } from '../network-fault.ts';
import { type HttpPeer, startHttpPeer } from './peer.fixture.ts';
import { restApi } from './rest-api.ts';

/** Receivers on TLS, with certificates of an authority that this process trusts, as NODE_EXTRA_CA_CERTS makes it. */

interface Pair {
  readonly key: string;
  readonly cert: string;
}

const DAY = 86_400_000;

async function certificate(host: string, days: readonly [number, number], ca?: Pair): Promise<Pair> {
  const made = await generate([{ name: 'commonName', value: host }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notBeforeDate: new Date(Date.now() + days[0] * DAY),
    notAfterDate: new Date(Date.now() + days[1] * DAY),
    extensions: [
      { name: 'basicConstraints', cA: ca === undefined, critical: true },
      { name: 'subjectAltName', altNames: [{ type: 2, value: host }] },
    ],
    ...(ca ? { ca } : {}),
  });
  return { key: made.private, cert: made.cert };
}

describe('a webhook over TLS', () => {
  const host = 'receiver.example';
  const trusted = getCACertificates('default');
  let authority: Pair;
  let egress: SharedEgress;
  const peers: HttpPeer[] = [];

  before(async () => {
    authority = await certificate('Test authority', [-1, 1]);
    setDefaultCACertificates([...trusted, authority.cert]);
    const resolve = () => Promise.resolve([{ address: '127.0.0.1', family: 4 as const }]);
    egress = createEgress({ allow: '127.0.0.1', resolve });
  });

  after(async () => {
    setDefaultCACertificates(trusted);
    await egress.close();
    for (const peer of peers) await peer.stop();
  });

  async function open(pair: Pair | undefined) {
    const peer = await startHttpPeer(pair);
    peers.push(peer);
    return { peer, destination: await openAt(peer.port) };
  }

  async function openAt(port: number) {
    const configured = restApi.configure(
      { url: `https://${host}:${port}/`, method: 'POST', size: 10 },
      'Json',
    );
    assert.ok(!Array.isArray(configured));
    const shared = {
      organisationId: 1,
      streamId: 's',
      random: seededRandom(1),
      variables: {},
      scratchDirectory: '',
    };
    const environment = { ...shared, clock: new ManualClock(), egress };
    return (await configured.open(environment)) as BatchDestination;
  }

  const signal = new AbortController().signal;

  test('a certificate of a trusted authority for this host is taken', async () => {
    const { destination, peer } = await open(await certificate(host, [-1, 1], authority));
    assert.deepEqual(await destination.verify(signal), { type: 'reachable', checked: 'connection' });
    assert.equal(peer.requests.length, 0, 'verifying sends nothing');
    assert.deepEqual(await destination.send(sampleBatch({ to: 2 }), signal), {
      type: 'delivered',
      remoteStatus: 200,
    });
    assert.equal(peer.requests.length, 1);
  });

  test('a 100 that nobody asked for is skipped over TLS too', async () => {
    const { destination, peer } = await open(await certificate(host, [-1, 1], authority));
    peer.answer((_, response) => {
      response.writeContinue();
      setImmediate(() => response.writeHead(201).end('thanks'));
    });
    for (let n = 0; n < 2; n++) {
      const outcome = await destination.send(sampleBatch({ to: 2 }), signal);
      assert.deepEqual(outcome, { type: 'delivered', remoteStatus: 201 });
    }
    assert.equal(peer.accepted, 1);
  });

  const cases: readonly (readonly [string, () => Promise<Pair | undefined>, RegExp])[] = [
    ['self-signed', () => certificate(host, [-1, 1]), /certificate of \S+ is self-signed/],
    ['expired', () => certificate(host, [-3, -1], authority), /certificate of \S+ has expired/],
    ['not valid yet', () => certificate(host, [1, 2], authority), /certificate of \S+ is not valid yet/],
    ['for another host', () => certificate('other.example', [-1, 1], authority), /is for another host name/],
    [
      'of an unknown authority',
      async () => certificate(host, [-1, 1], await certificate('Unknown authority', [-1, 1])),
      /intermediate certificates are missing/,
    ],
    ['none: the port speaks plain HTTP', () => Promise.resolve(undefined), /No TLS connection/],
  ];
  for (const [name, make, words] of cases) {
    test(`a certificate that is ${name}`, async () => {
      const { destination, peer } = await open(await make());
      const verdict = await destination.verify(signal);
      assert.ok(verdict.type === 'failed');
      assert.equal(verdict.cause.code, 'tls_error');
      assert.match(verdict.cause.message, words);
      const outcome = await destination.send(sampleBatch({ to: 2 }), signal);
      assert.deepEqual(outcome, { type: 'retry', cause: verdict.cause });
      assert.equal(peer.requests.length, 0);
    });
  }

  const agreements: readonly (readonly [string, TlsOptions, RegExp])[] = [
    ['speaks HTTP/2 alone', { ALPNProtocols: ['h2'] }, /Let it accept HTTP\/1\.1 beside HTTP\/2/],
    [
      'wants a client certificate (TLS 1.2)',
      { requestCert: true, rejectUnauthorized: true, maxVersion: 'TLSv1.2' },
      /client certificate/,
    ],
    ['speaks TLS 1.1 alone', { maxVersion: 'TLSv1.1', minVersion: 'TLSv1.1' }, /speaks TLS 1\.2 or 1\.3/],
  ];
  for (const [name, options, words] of agreements) {
    test(`a port that ${name}`, async (t) => {
      const pair = await certificate(host, [-1, 1], authority);
      // Below HTTP: the server of node:https would offer HTTP/1.1 too.
      const server = createServer({ ...pair, ...options, ca: authority.cert }, (socket) =>
        socket.on('error', () => {}),
      );
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      t.after(() => server.close());
      const { port } = server.address() as AddressInfo;
      const destination = await openAt(port);
      const outcome = await destination.send(sampleBatch({ to: 2 }), signal);
      assert.ok(outcome.type === 'retry');
      assert.match(outcome.cause.message, words);
      assert.equal(outcome.cause.code, 'tls_error');
    });
  }

  // Node.js closes the connection without the alerts that OpenSSL's and Java's servers send.
  for (const [code, words] of [
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', /asks for a client certificate/],
    ['ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE', /asks for a client certificate/],
    ['ERR_SSL_TLSV1_UNRECOGNIZED_NAME', /Check the host of the URL/],
  ] as const) {
    test(`the alert ${code}`, () => {
      const { cause } = networkFault(Object.assign(new Error('alert'), { code }), host);
      assert.equal(cause.code, 'tls_error');
      assert.match(cause.message, words);
    });
  }

  test('NODE_TLS_REJECT_UNAUTHORIZED does not switch verification off', async (t) => {
    t.mock.method(process, 'emitWarning', () => {});
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
    t.after(() => delete process.env.NODE_TLS_REJECT_UNAUTHORIZED);
    const { destination } = await open(await certificate(host, [-1, 1]));
    assert.equal((await destination.verify(signal)).type, 'failed');
    assert.equal((await destination.send(sampleBatch({ to: 2 }), signal)).type, 'retry');
  });
});
