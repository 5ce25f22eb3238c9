import assert from 'node:assert/strict';
import type { LookupAddress } from 'node:dns';
import { connect } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { request } from 'undici';
import { settle } from '../lib/manual-clock.fixture.ts';
import { createEgress, type Egress, type EgressOptions } from './egress.ts';
import { startHttpPeer } from './http/peer.fixture.ts';

const LOOPBACK: LookupAddress = { address: '127.0.0.1', family: 4 };
const PRIVATE: LookupAddress = { address: '10.9.8.7', family: 4 };

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
    await assert.rejects(get('inside.example'), forbidden);
    await assert.rejects(get('localhost'), forbidden);
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
    await assert.rejects(get(), forbidden);
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

  test('names that are being resolved are asked for once', async () => {
    let asked = 0;
    const answer = Promise.withResolvers<LookupAddress[]>();
    const egress = createEgress({
      allow: '127.0.0.1',
      resolve: () => {
        asked++;
        return answer.promise;
      },
    });
    const both = [resolveWith(egress, 'a.example', true), resolveWith(egress, 'a.example', true)];
    answer.resolve([LOOPBACK]);
    await Promise.all(both);
    assert.equal(asked, 1);
    await resolveWith(egress, 'a.example', true);
    assert.equal(asked, 2, 'and again later');
    await egress.close();
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

  test('a mistake in the list is told at once', () => {
    assert.throws(() => createEgress({ allow: '127.0.0.0/8,nonsense' }), /nonsense/);
  });
});
