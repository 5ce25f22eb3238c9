import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ManualClock, settle } from '../../lib/manual-clock.fixture.ts';
import type { NameAnswer } from './question.ts';
import { createNameResolver } from './resolver.ts';
import { parseSystemNames, type SystemFiles } from './system-files.ts';

const V4 = { address: '203.0.113.7', family: 4 } as const;
const V6 = { address: '2001:db8::7', family: 6 } as const;

function setUp(files: Partial<SystemFiles> = {}) {
  const clock = new ManualClock();
  const names = parseSystemNames({ hosts: '', resolvConf: '', routesIPv6: false, ...files });
  const asked: string[] = [];
  let answering: (name: string) => Promise<NameAnswer> | NameAnswer = () => ({ addresses: [V4], ttl: 60 });
  const resolver = createNameResolver({
    clock,
    system: () => Promise.resolve(names),
    ask: async (name) => {
      asked.push(name);
      return answering(name);
    },
    limits: { total: 4, perOwner: 2, waitingPerOwner: 3 },
  });
  return {
    clock,
    asked,
    answer: (next: typeof answering) => {
      answering = next;
    },
    resolve: (name: string, organisationId = 1) => resolver.resolve(name, organisationId),
  };
}

function failure(code: string): Promise<never> {
  return Promise.reject(Object.assign(new Error(code), { code }));
}

describe('names of destinations', () => {
  test('an answer is kept for its time to live, within limits', async () => {
    const { clock, asked, answer, resolve } = setUp();
    for (const [ttl, kept] of [
      [60, 60],
      [0, 1],
      [86_400, 300],
    ] as const) {
      const name = `ttl-${ttl}.example`;
      answer(() => ({ addresses: [V4], ttl }));
      asked.length = 0;
      await resolve(name);
      await clock.advance(kept * 1000 - 1);
      assert.deepEqual(await resolve(name.toUpperCase()), [V4]);
      assert.equal(asked.length, 1, name);
      await clock.advance(1);
      await resolve(name);
      assert.equal(asked.length, 2, name);
    }
  });

  test('names that are being asked for are asked for once, by all organisations', async () => {
    const { asked, answer, resolve } = setUp();
    const answered = Promise.withResolvers<NameAnswer>();
    answer(() => answered.promise);
    const all = [resolve('a.example', 1), resolve('a.example', 1), resolve('a.example', 2)];
    await settle();
    answered.resolve({ addresses: [V4], ttl: 1 });
    assert.deepEqual(await Promise.all(all), [[V4], [V4], [V4]]);
    assert.deepEqual(asked, ['a.example']);
  });

  test('failures are remembered for a short time', async () => {
    const { clock, asked, answer, resolve } = setUp();
    for (const [code, ms] of [
      ['ENOTFOUND', 3_000],
      ['ETIMEOUT', 15_000],
    ] as const) {
      asked.length = 0;
      answer(() => failure(code));
      const name = `${code.toLowerCase()}.example`;
      await assert.rejects(resolve(name), { code });
      await clock.advance(ms - 1);
      await assert.rejects(resolve(name), { code });
      assert.equal(asked.length, 1);
      answer(() => ({ addresses: [V4], ttl: 60 }));
      await clock.advance(1);
      assert.deepEqual(await resolve(name), [V4]);
    }
  });

  test('while name servers fail, the addresses from before are used for an hour; not for a name that is gone', async () => {
    const { clock, answer, resolve } = setUp();
    await resolve('a.example');
    await clock.advance(60_000);
    answer(() => failure('ETIMEOUT'));
    assert.deepEqual(await resolve('a.example'), [V4]);
    await clock.advance(3_600_000);
    await assert.rejects(resolve('a.example'), { code: 'ETIMEOUT' });

    answer(() => ({ addresses: [V4], ttl: 60 }));
    await resolve('b.example');
    await clock.advance(60_000);
    answer(() => failure('ENOTFOUND'));
    await assert.rejects(resolve('b.example'), { code: 'ENOTFOUND' });
  });

  test('an organisation with dead names delays no other one, and its own questions are bounded', async () => {
    const { asked, answer, resolve } = setUp();
    answer((name) => (name.startsWith('dead') ? new Promise(() => {}) : { addresses: [V4], ttl: 60 }));
    for (let n = 0; n < 5; n++) void resolve(`dead-${n}.example`, 1);
    await settle();
    assert.deepEqual(asked, ['dead-0.example', 'dead-1.example']);
    void resolve('dead-4.example', 1);
    await assert.rejects(resolve('dead-5.example', 1), { code: 'QueueFull' }, 'a name waits once');
    assert.deepEqual(await resolve('b.example', 2), [V4]);
  });

  test('the hosts file goes first', async () => {
    const hosts =
      '# comment\n198.51.100.1  Receiver.internal receiver # more\n2001:db8::9 receiver\nnonsense x\n';
    const { asked, resolve } = setUp({ hosts });
    assert.deepEqual(await resolve('receiver'), [
      { address: '198.51.100.1', family: 4 },
      { address: '2001:db8::9', family: 6 },
    ]);
    assert.equal((await resolve('receiver.INTERNAL')).length, 1);
    assert.deepEqual(
      (await resolve('sub.localhost')).map(({ address }) => address),
      ['127.0.0.1', '::1'],
    );
    assert.deepEqual(asked, []);
  });

  test('short names are completed as the machine completes them', async () => {
    const resolvConf =
      'nameserver 10.0.0.10\nsearch default.svc.cluster.local. svc.cluster.local\noptions ndots:5\n';
    const { asked, answer, resolve } = setUp({ resolvConf });
    answer((name) =>
      name === 'inbox.svc.cluster.local' ? { addresses: [V4], ttl: 5 } : failure('ENOTFOUND'),
    );
    assert.deepEqual(await resolve('inbox'), [V4]);
    assert.deepEqual(asked, ['inbox.default.svc.cluster.local', 'inbox.svc.cluster.local']);
    asked.length = 0;
    await assert.rejects(resolve('api.example.com'), { code: 'ENOTFOUND' });
    assert.equal(asked[0], 'api.example.com', 'a name with a dot is tried as it is first');
    assert.equal(asked.length, 3);
    asked.length = 0;
    await assert.rejects(resolve('api.example.com.'), { code: 'ENOTFOUND' });
    assert.equal(asked.length, 1);
  });

  test('IPv6 goes first where the machine can use it', async () => {
    for (const routesIPv6 of [true, false]) {
      const { answer, resolve } = setUp({ routesIPv6 });
      answer(() => ({ addresses: [V4, V6], ttl: 60 }));
      assert.deepEqual(await resolve('a.example'), routesIPv6 ? [V6, V4] : [V4, V6]);
    }
  });
});
