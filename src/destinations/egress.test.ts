import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { request } from 'undici';
import { settle } from '../lib/manual-clock.fixture.ts';
import { CONNECTION_AGE_MS, createEgress, type Egress, type EgressOptions } from './egress.ts';
import { startHttpPeer } from './http/peer.fixture.ts';
import type { Address } from './names/address.ts';

const LOOPBACK: Address = { address: '127.0.0.1', family: 4 };
const PRIVATE: Address = { address: '10.9.8.7', family: 4 };

async function start(t: TestContext, options: EgressOptions) {
  const egress = createEgress(options);
  const peer = await startHttpPeer();
  t.after(async () => {
    await egress.close();
    await peer.stop();
  });
  const get = async (host: string) => {
    const { statusCode, body } = await request(`http://${host}:${peer.port}/`, { dispatcher: egress.agent });
    await body.dump();
    return statusCode;
  };
  return { egress, peer, get };
}

function resolveWith(egress: Egress, hostname: string, all: boolean, family = 0): Promise<unknown> {
  return new Promise((resolve, reject) => {
    egress.lookup(hostname, { all, family }, (error, address, version) =>
      error ? reject(error) : resolve(all ? address : [address, version]),
    );
  });
}

const forbidden = { code: 'ForbiddenAddress' };
const forbiddenName = { code: 'ForbiddenName' };

describe('the way out', () => {
  test('literal addresses in each notation are checked when connecting', async (t) => {
    const { get, peer } = await start(t, { allow: '' });
    for (const host of [
      '127.0.0.1',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '2130706433',
      '0x7f.1',
      '0177.0.0.1',
      '127.1',
      '0',
    ]) {
      await assert.rejects(get(host), forbidden, host);
    }
    assert.equal(peer.accepted, 0);
  });

  test('names are checked by what they resolve to when connecting', async (t) => {
    const { get, peer } = await start(t, { allow: '', resolve: () => Promise.resolve([LOOPBACK]) });
    await assert.rejects(get('inside.example'), forbiddenName);
    await assert.rejects(get('localhost'), forbiddenName);
    assert.equal(peer.accepted, 0);
  });

  test('of several addresses only the allowed ones are connected to', async (t) => {
    const { get, egress } = await start(t, {
      allow: '127.0.0.0/8',
      resolve: () => Promise.resolve([PRIVATE, { address: '169.254.169.254', family: 4 }, LOOPBACK]),
    });
    assert.equal(await get('mixed.example'), 200);
    assert.deepEqual(await resolveWith(egress, 'mixed.example', true), [LOOPBACK]);
    assert.deepEqual(await resolveWith(egress, 'mixed.example', false), ['127.0.0.1', 4]);
    await assert.rejects(resolveWith(egress, 'mixed.example', true, 6), { code: 'ENOTFOUND' });
  });

  test('a name that changes its mind: each connection goes to the address that was checked for it', async (t) => {
    const answers = [[LOOPBACK], [PRIVATE], [LOOPBACK]];
    let asked = 0;
    const resolve = () => Promise.resolve(answers[asked++] ?? []);
    const { egress, peer } = await start(t, { allow: ['127.0.0.0/8'], resolve });
    const get = async () => {
      const url = `http://rebinding.example:${peer.port}/`;
      const headers = { connection: 'close' };
      const { statusCode, body } = await request(url, { dispatcher: egress.agent, headers });
      await body.dump();
      return statusCode;
    };
    assert.equal(await get(), 200);
    await assert.rejects(get(), forbiddenName);
    assert.equal(await get(), 200);
    assert.equal(asked, 3, 'resolved once for each connection');
  });

  test('the lookup works for clients built on net.connect', async (t) => {
    const { egress, peer } = await start(t, {
      allow: '127.0.0.0/8',
      resolve: () => Promise.resolve([LOOPBACK]),
    });
    await new Promise<void>((resolve, reject) => {
      const socket = connect({ host: 'peer.example', port: peer.port, lookup: egress.lookup });
      socket.once('connect', () => socket.destroy());
      socket.once('error', reject);
      socket.once('close', () => resolve());
    });
  });

  test('a failing resolver is its own error', async () => {
    const failure = Object.assign(new Error('no'), { code: 'EAI_AGAIN' });
    const egress = createEgress({ allow: '', resolve: () => Promise.reject(failure) });
    await assert.rejects(resolveWith(egress, 'a.example', true), { code: 'EAI_AGAIN' });
    await egress.close();
  });

  test('redirects are not followed', async (t) => {
    const { get, peer } = await start(t, { allow: '127.0.0.0/8' });
    peer.answer((_, response) => response.writeHead(302, { location: '/elsewhere' }).end());
    assert.equal(await get('127.0.0.1'), 302);
    assert.equal(peer.requests.length, 1);
  });

  test('connections are used again, and no more are open than may be', async (t) => {
    const { get, peer, egress } = await start(t, { allow: '127.0.0.0/8', maxSockets: 2 });
    for (let n = 0; n < 5; n++) {
      await get('127.0.0.1');
      await settle();
    }
    assert.equal(peer.accepted, 1);
    const hanging: (() => void)[] = [];
    peer.answer((_, response) => void hanging.push(() => response.end()));
    const reached = peer.reached();
    const first = get('127.0.0.1');
    await reached;
    const reachedAgain = peer.reached();
    const second = get('127.0.0.1');
    await reachedAgain;
    await assert.rejects(get('127.0.0.1'), { code: 'OutOfSockets' });
    for (const answer of hanging) answer();
    assert.deepEqual(await Promise.all([first, second]), [200, 200]);
    await egress.close();
    await peer.disconnected();
  });

  for (const [whose, options, other] of [
    ['of another organisation', { maxSockets: 1 }, 2],
    ['of its own', { maxSocketsPerOrganisation: 1 }, 1],
  ] as const)
    test(`where no more may be open, an idle connection ${whose} gives way`, async (t) => {
      const { egress, peer } = await start(t, { allow: '127.0.0.0/8', ...options });
      const { peer: second } = await start(t, { allow: '127.0.0.0/8' });
      const get = async (organisationId: number, port: number) => {
        const dispatcher = egress.of(organisationId).agent;
        const { statusCode, body } = await request(`http://127.0.0.1:${port}/`, { dispatcher });
        await body.dump();
        return statusCode;
      };
      assert.equal(await get(1, peer.port), 200);
      await settle();
      assert.equal(await get(other, second.port), 200);
      await peer.disconnected();
      await settle();
      assert.equal(await get(1, peer.port), 200);
      assert.deepEqual([peer.accepted, second.accepted], [2, 1]);
    });

  test('an organisation that has opened its share of the sockets leaves the others to the others', async (t) => {
    const { egress, peer } = await start(t, { allow: '127.0.0.0/8', maxSocketsPerOrganisation: 1 });
    const hanging: (() => void)[] = [];
    peer.answer((_, response) => void hanging.push(() => response.end()));
    const get = async (organisationId: number) => {
      const dispatcher = egress.of(organisationId).agent;
      const { statusCode, body } = await request(`http://127.0.0.1:${peer.port}/`, { dispatcher });
      await body.dump();
      return statusCode;
    };
    const reached = peer.reached();
    const first = get(1);
    await reached;
    await assert.rejects(get(1), { code: 'OutOfSockets' });
    const reachedAgain = peer.reached();
    const other = get(2);
    await reachedAgain;
    for (const answer of hanging) answer();
    assert.deepEqual(await Promise.all([first, other]), [200, 200]);
  });

  test('names are resolved on behalf of the organisation', async (t) => {
    const asked: (readonly [string, number])[] = [];
    const resolve = (hostname: string, organisationId: number) => {
      asked.push([hostname, organisationId]);
      return Promise.resolve([LOOPBACK]);
    };
    const { egress } = await start(t, { allow: '127.0.0.0/8', resolve });
    await resolveWith(egress.of(7), 'a.example', true);
    await resolveWith(egress.of(7).own, 'b.example', true);
    assert.deepEqual(asked, [
      ['a.example', 7],
      ['b.example', 0],
    ]);
  });

  test('an old connection is replaced, and its request is answered first', async (t) => {
    const { get, peer } = await start(t, { allow: '127.0.0.0/8' });
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
    let answer = () => {};
    peer.answer((_, response) => {
      answer = () => response.end();
    });
    const reached = peer.reached();
    const slow = get('127.0.0.1');
    await reached;
    t.mock.timers.tick(CONNECTION_AGE_MS + 1);
    peer.answer((_, response) => response.end());
    assert.equal(await get('127.0.0.1'), 200);
    assert.equal(peer.accepted, 2);
    answer();
    assert.equal(await slow, 200, 'the request in flight was not cut');
    await get('127.0.0.1');
    assert.equal(peer.accepted, 2, 'the younger connection is used again');
  });

  test('a mistake in the list is told at once', () => {
    assert.throws(() => createEgress({ allow: '127.0.0.0/8,nonsense' }), /nonsense/);
  });
});
