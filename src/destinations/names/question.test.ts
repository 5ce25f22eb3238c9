import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { ManualClock, settle } from '../../lib/manual-clock.fixture.ts';
import { systemClock } from '../../lib/system-clock.ts';
import { createEgress } from '../egress.ts';
import { type NameServerAnswer, startNameServer } from './name-server.fixture.ts';
import { askNameServers } from './question.ts';

async function start(t: TestContext, answering: (name: string) => NameServerAnswer) {
  const server = await startNameServer();
  server.answer(answering);
  t.after(() => server.stop());
  return server;
}

describe('questions to name servers', () => {
  test('both families are asked for, and what is said is told', async (t) => {
    const answers: Record<string, NameServerAnswer> = {
      'both.example': { a: '203.0.113.7', aaaa: '2001:db8:0:0:0:0:0:7', ttl: 30 },
      'four.example': { a: '203.0.113.7', ttl: 9 },
      'none.example': {},
      'gone.example': 'not-found',
      'broken.example': 'failed',
    };
    const server = await start(t, (name) => answers[name] ?? 'silent');
    const ask = askNameServers(systemClock, [server.address]);
    assert.deepEqual(await ask('both.example'), {
      addresses: [
        { address: '203.0.113.7', family: 4 },
        { address: '2001:db8::7', family: 6 },
      ],
      ttl: 30,
    });
    assert.deepEqual(await ask('four.example'), {
      addresses: [{ address: '203.0.113.7', family: 4 }],
      ttl: 9,
    });
    await assert.rejects(ask('none.example'), { code: 'ENODATA' });
    await assert.rejects(ask('gone.example'), { code: 'ENOTFOUND' });
    await assert.rejects(ask('a..example'), { code: 'ENOTFOUND' });
    await assert.rejects(ask('broken.example'), { code: 'ESERVFAIL' });
  });

  test('a name server that does not run is not taken for a receiver that refuses', async () => {
    const server = await startNameServer();
    await server.stop();
    const ask = askNameServers(systemClock, [server.address]);
    await assert.rejects(ask('a.example'), { code: 'ESERVFAIL' });
  });

  test('silence is given up', async (t) => {
    const server = await start(t, () => 'silent');
    const clock = new ManualClock();
    const asked = askNameServers(clock, [server.address])('a.example').catch(({ code }) => code);
    await settle();
    await clock.advance(5_000);
    assert.equal(await asked, 'ETIMEOUT');
  });

  test('1,000 dead names of one organisation do not delay a name of another', async (t) => {
    const server = await start(t, (name) => (name.startsWith('dead') ? 'silent' : { a: '127.0.0.1' }));
    const egress = createEgress({ allow: '127.0.0.0/8', nameServers: [server.address] });
    t.after(() => egress.close());
    const lookup = (organisationId: number, name: string) =>
      new Promise<string>((resolve) => {
        egress.of(organisationId).lookup(name, { all: true }, (error, found) => {
          resolve(error ? String(error.code) : JSON.stringify(found));
        });
      });
    let deadAnswered = 0;
    for (let n = 0; n < 1_000; n++) void lookup(1, `dead-${n}.example`).then(() => deadAnswered++);
    for (let n = 0; n < 20; n++) {
      assert.equal(await lookup(2, `b${n}.example`), '[{"address":"127.0.0.1","family":4}]');
    }
    assert.equal(deadAnswered, 0, 'all of them still wait');
    const own = server.questions.filter((name) => name.startsWith('dead'));
    assert.ok(new Set(own).size <= 16, `of A only its share is under way, ${new Set(own).size}`);
  });
});
