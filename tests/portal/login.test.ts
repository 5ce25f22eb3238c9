import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import createClient from 'openapi-fetch';
import { createBatch } from '../../src/portal/lib/batch.ts';
import { logCall } from '../../src/portal/lib/call-log.ts';
import { beginLogin, currentLogin, endLogin, LoginEnded } from '../../src/portal/lib/login.ts';
import { notices, notify, notifyFailure } from '../../src/portal/lib/notices.ts';
import { createPace } from '../../src/portal/lib/pace.ts';
import { createPeers } from '../../src/portal/lib/peers.ts';
import { change } from '../../src/portal/lib/query.ts';
import { createSend } from '../../src/portal/lib/send.ts';
import { createSessions, type SessionParts } from '../../src/portal/lib/session.ts';
import { createLoginStore } from '../../src/portal/lib/store.ts';

const URL_OF_LIST = 'https://node.example/api/v2/data_stream';
const noRenewal = async () => ({ is: 'refused' }) as const;
const ignore = () => {};
const json = (status: number, body: unknown, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json', ...headers } });

/** A node that answers each request when the test says so. */
function heldNode() {
  const asked: { request: Request; answer: (response: Response) => void }[] = [];
  const send = createSend({
    fetch: (request) =>
      new Promise((resolve, reject) => {
        request.signal.addEventListener('abort', () => reject(request.signal.reason));
        asked.push({ request, answer: resolve });
      }),
    sleep: async () => {},
    pace: { refused: ignore },
  });
  return { asked, send };
}

/** A node that answers with the next of these. */
function node(...answers: (Response | Error)[]) {
  const requests: Request[] = [];
  const slept: number[] = [];
  let slowed = 0;
  const send = createSend({
    fetch: async (request) => {
      requests.push(request);
      const answer = answers.shift();
      if (answer === undefined) throw new Error('nothing more is expected');
      if (answer instanceof Error) throw answer;
      return answer;
    },
    sleep: async (milliseconds) => void slept.push(milliseconds),
    pace: { refused: () => slowed++ },
  });
  return { requests, slept, send, slowed: () => slowed };
}

afterEach(endLogin);

describe('a request belongs to a login', () => {
  test('what is under way when the login ends is cancelled, and its answer reaches nobody', async () => {
    const { asked, send } = heldNode();
    beginLogin('token of A', noRenewal, ignore);
    const list = send(new Request(URL_OF_LIST));
    assert.equal(asked[0]?.request.headers.get('authorization'), 'Bearer token of A');
    endLogin();
    beginLogin('token of B', noRenewal, ignore);
    asked[0]?.answer(json(200, [{ id: 'of A' }]));
    await assert.rejects(list, LoginEnded);
    assert.ok(asked[0]?.request.signal.aborted);
  });

  test('an answer that comes although it was cancelled is dropped too', async () => {
    let answer: (response: Response) => void = ignore;
    const fetch = () => new Promise<Response>((resolve) => (answer = resolve));
    const send = createSend({ fetch, sleep: async () => {}, pace: { refused: ignore } });
    beginLogin('token of A', noRenewal, ignore);
    const list = send(new Request(URL_OF_LIST));
    beginLogin('token of B', noRenewal, ignore);
    answer(json(200, [{ id: 'of A' }]));
    await assert.rejects(list, LoginEnded);
  });

  test('without a login nothing is sent', async () => {
    const { asked, send } = heldNode();
    await assert.rejects(send(new Request(URL_OF_LIST)), LoginEnded);
    assert.equal(asked.length, 0);
  });

  test('what waits to be asked for in one call is not asked for by the next login', async () => {
    const runs: (() => void)[] = [];
    const loaded: string[][] = [];
    const load = createBatch<number>(
      async (keys) => {
        loaded.push([...keys]);
        return new Map(keys.map((key, place) => [key, place]));
      },
      2,
      (run) => runs.push(run),
    );
    beginLogin('token of A', noRenewal, ignore);
    const ofA = load('stream of A');
    endLogin();
    await assert.rejects(ofA, LoginEnded);
    const ofB = [load('one'), load('two'), load('one'), load('three')];
    while (runs.length > 0) runs.shift()?.();
    assert.deepEqual(await Promise.all(ofB), [0, 1, 0, 1]);
    assert.deepEqual(loaded, [
      ['one', 'two'],
      ['one', 'three'],
    ]);
  });
});

describe('the end of a login', () => {
  test('leaves nothing behind: neither what was read, nor messages, calls and other state', () => {
    const store = createLoginStore<string | undefined>(undefined);
    const login = beginLogin('token of A', noRenewal, ignore);
    login.queries.setQueryData(['streams'], [{ id: 'of A' }]);
    store.set('of A');
    notify({ text: 'Stream of A is paused.', tone: 'done' });
    logCall({ at: '', method: 'PATCH', path: '/of/A', body: undefined, status: 202 });
    endLogin();
    assert.equal(currentLogin(), undefined);
    assert.equal(login.queries.getQueryData(['streams']), undefined);
    assert.equal(store.get(), undefined);
    assert.deepEqual(notices.get(), []);
    const next = beginLogin('token of B', noRenewal, ignore);
    assert.notEqual(next.queries, login.queries);
    assert.equal(next.queries.getQueryData(['streams']), undefined);
  });

  test('a change that was under way says nothing to the next user', () => {
    notifyFailure(new LoginEnded());
    assert.deepEqual(notices.get(), []);
    notifyFailure(new Error('The disk is full.'));
    assert.equal(notices.get()[0]?.text, 'The disk is full.');
  });
});

describe('an expired token', () => {
  test('is renewed once for all calls that find it expired, and each is made again', async () => {
    const { requests, send } = node(json(401, {}), json(401, {}), json(200, 1), json(200, 2));
    let renewals = 0;
    const renew = async () => {
      renewals++;
      return { is: 'renewed', token: 'fresh' } as const;
    };
    beginLogin('old', renew, ignore);
    const body = { method: 'PATCH', body: '{"name":"x"}' };
    const answers = await Promise.all([send(new Request(URL_OF_LIST, body)), send(new Request(URL_OF_LIST))]);
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200],
    );
    assert.equal(renewals, 1);
    assert.deepEqual(
      requests.map(({ headers }) => headers.get('authorization')),
      ['Bearer old', 'Bearer old', 'Bearer fresh', 'Bearer fresh'],
    );
    assert.equal(await requests[2]?.text(), '{"name":"x"}');
  });

  test('is not meant by an answer that a password is wrong: that is tried once', async () => {
    const { requests, send } = node(json(401, { error_code: 1101, message: 'wrong' }));
    let renewals = 0;
    const renew = async () => {
      renewals++;
      return { is: 'refused' } as const;
    };
    beginLogin('token', renew, ignore);
    const answer = await send(new Request(URL_OF_LIST, { method: 'PATCH', body: '{}' }));
    assert.deepEqual([answer.status, requests.length, renewals], [401, 1, 0]);
    assert.deepEqual(await answer.json(), { error_code: 1101, message: 'wrong' });
  });

  test('that cannot be renewed just now keeps the login; the call fails with the reason', async () => {
    const { send } = node(json(401, {}));
    let ended = 0;
    const problem = { status: 503, message: 'The storage is away.', fields: {} };
    beginLogin(
      'old',
      async () => ({ is: 'unreachable', problem }),
      () => ended++,
    );
    await assert.rejects(send(new Request(URL_OF_LIST)), { name: 'CallFailed', message: problem.message });
    assert.equal(ended, 0);
    assert.ok(currentLogin());
  });

  test('whose renewal is refused ends the login', async () => {
    const { send } = node(json(401, {}));
    let ended = 0;
    beginLogin('old', noRenewal, () => {
      ended++;
      endLogin();
    });
    await assert.rejects(send(new Request(URL_OF_LIST)), LoginEnded);
    assert.equal(ended, 1);
  });
});

describe('429', () => {
  test('a change waits as it is told and is made again; each refusal slows the page down', async () => {
    const limited = () => json(429, {}, { 'retry-after': '2' });
    const { requests, slept, send, slowed } = node(limited(), limited(), json(202, {}));
    beginLogin('token', noRenewal, ignore);
    const answer = await send(new Request(URL_OF_LIST, { method: 'POST', body: '{}' }));
    assert.deepEqual([answer.status, requests.length, slept, slowed()], [202, 3, [2000, 2000], 2]);
  });

  test('a change is given up after three tries, a read at once: it is read again anyway', async () => {
    const limited = () => json(429, {}, { 'retry-after': '600' });
    const { requests, slept, send } = node(limited(), limited(), limited(), limited(), limited());
    beginLogin('token', noRenewal, ignore);
    assert.equal((await send(new Request(URL_OF_LIST, { method: 'DELETE' }))).status, 429);
    assert.deepEqual(slept, [5000, 5000, 5000]);
    assert.equal((await send(new Request(URL_OF_LIST))).status, 429);
    assert.equal(requests.length, 5);
  });

  test('doubles the intervals, once for all that are refused together, and halves them every 30 s', () => {
    let now = 0;
    const pace = createPace(() => now);
    assert.equal(pace.factor(), 1);
    for (let call = 0; call < 10; call++) pace.refused();
    assert.equal(pace.factor(), 2);
    for (let second = 0; second < 20; second++) {
      now += 2000;
      pace.refused();
    }
    assert.equal(pace.factor(), 16);
    now += 30_000;
    assert.equal(pace.factor(), 8);
    now += 90_000;
    assert.equal(pace.factor(), 1);
  });
});

describe('a change', () => {
  test('is not overwritten by a read that was asked for before it was done', async () => {
    const { queries } = beginLogin('token', noRenewal, ignore);
    const answers: ((streams: string) => void)[] = [];
    const options = {
      queryKey: ['streams'],
      queryFn: () => new Promise<string>((resolve) => answers.push(resolve)),
    };
    queries.setQueryData(['streams'], 'running');
    const settled = () => undefined;
    const before = queries.fetchQuery(options).then(settled, settled);
    let during = Promise.resolve<undefined>(undefined);
    await change(async () => {
      during = queries.fetchQuery(options).then(settled, settled);
    }, queries);
    const after = queries.fetchQuery(options);
    assert.equal(answers.length, 3, 'the read after the change is one of its own');
    answers[2]?.('paused');
    assert.equal(await after, 'paused');
    answers[0]?.('running');
    answers[1]?.('running');
    await Promise.all([before, during]);
    assert.equal(queries.getQueryData(['streams']), 'paused');
  });

  test('leaves alone what does not show streams, and passes its own failure on', async () => {
    const { queries } = beginLogin('token', noRenewal, ignore);
    let answer: (types: string) => void = ignore;
    const types = queries.fetchQuery({
      queryKey: ['types'],
      queryFn: () => new Promise<string>((resolve) => (answer = resolve)),
    });
    await assert.rejects(
      change(() => Promise.reject(new Error('refused')), queries),
      /refused/,
    );
    answer('types');
    assert.equal(await types, 'types');
  });
});

const USER = {
  id: 1,
  username: 'ada',
  name: 'Ada',
  role: { id: 1, description: 'Administrator' },
  organisation: { id: 7, name: 'Nordlicht' },
  created: '',
};

/** Sessions of a tab, on a node of which the test says what it answers to a refresh token. */
function tab(authenticate: () => Response | Error, more: Partial<SessionParts> = {}) {
  const stored = new Map<string, string>();
  const ended: string[] = [];
  const send = createSend({
    fetch: async ({ url }) => {
      const answer = url.endsWith('/authenticate')
        ? authenticate()
        : json(200, url.endsWith('/user/my') ? USER : []);
      if (answer instanceof Error) throw answer;
      return answer;
    },
    sleep: async () => {},
    pace: { refused: ignore },
  });
  const sessions = createSessions({
    api: createClient({ baseUrl: 'https://node.example', fetch: send }),
    storage: {
      getItem: (key) => stored.get(key) ?? null,
      setItem: (key, value) => void stored.set(key, value),
      removeItem: (key) => void stored.delete(key),
    },
    device: { get: () => undefined, make: () => 'fingerprint of this browser' },
    channel: undefined,
    name: () => 'this tab',
    sleep: async () => {},
    ended: (why) => ended.push(why),
    began: ignore,
    ...more,
  });
  return { sessions, stored, ended };
}

describe('a reload', () => {
  const held = (answer: Response | Error) => {
    const world = tab(() => answer);
    world.stored.set('simstream.refresh', 'refresh');
    return world;
  };

  for (const [name, answer] of [
    ['503', () => json(503, { message: 'Starting.' })],
    ['429', () => json(429, {})],
    ['a network that is away', () => new TypeError('fetch failed')],
  ] as const) {
    test(`keeps the login where the answer is ${name}`, async () => {
      const { sessions, stored } = held(answer());
      assert.equal((await sessions.resume()).is, 'unreachable');
      assert.equal(stored.get('simstream.refresh'), 'refresh');
    });
  }

  test('keeps it too where only the first read after it fails', async () => {
    const world = tab(() => json(200, { auth_token: 'auth' }), {
      api: createClient({
        baseUrl: 'https://node.example',
        fetch: async ({ url }) =>
          url.endsWith('/authenticate') ? json(200, { auth_token: 'auth' }) : json(503, {}),
      }),
    });
    world.stored.set('simstream.refresh', 'refresh');
    assert.equal((await world.sessions.resume()).is, 'unreachable');
    assert.equal(world.stored.get('simstream.refresh'), 'refresh');
    assert.equal(currentLogin(), undefined);
  });

  test('ends a login that is refused, and goes on with one that is not', async () => {
    const refused = held(json(401, { message: 'expired' }));
    assert.deepEqual(await refused.sessions.resume(), { is: 'out', expired: true });
    assert.equal(refused.stored.size, 0);
    const good = held(json(200, { auth_token: 'auth' }));
    const resumed = await good.sessions.resume();
    assert.equal(resumed.is === 'in' && resumed.session.identity, '7/ada');
    good.sessions.signOut();
    assert.equal(good.stored.size, 0);
    assert.equal(currentLogin(), undefined);
  });
});

describe('tabs of one browser', () => {
  /** Channels that hear each other, as BroadcastChannel: never what they said themselves. */
  function channels() {
    const listeners: { of: object; hear: (event: { data: unknown }) => void }[] = [];
    return () => {
      const channel = {
        postMessage: (data: unknown) => {
          for (const { of, hear } of listeners) if (of !== channel) hear({ data: structuredClone(data) });
        },
        addEventListener: (_: 'message', hear: (event: { data: unknown }) => void) => {
          listeners.push({ of: channel, hear });
        },
        close: ignore,
      };
      return channel;
    };
  }
  const login = (identity: string) => ({ refreshToken: `refresh ${identity}`, identity });
  const peer = (channel: ReturnType<ReturnType<typeof channels>>, name: string, identity?: string) => {
    const signedOut: string[] = [];
    const peers = createPeers(channel, {
      held: () => (identity === undefined ? undefined : login(identity)),
      signedOut: (who) => signedOut.push(who),
      name: () => name,
      sleep: async () => {},
    });
    return { peers, signedOut };
  };

  test('a new tab takes the login of the others over, if they agree on who is signed in', async () => {
    const open = channels();
    peer(open(), 'one', '7/ada');
    peer(open(), 'two', '7/ada');
    assert.deepEqual(await peer(open(), 'new').peers.ask(), login('7/ada'));
    peer(open(), 'three', '8/ben');
    assert.equal(await peer(open(), 'newer').peers.ask(), undefined);
  });

  test('without another tab, or with none that is signed in, there is no login', async () => {
    const open = channels();
    assert.equal(await peer(open(), 'alone').peers.ask(), undefined);
    assert.equal(await peer(open(), 'second').peers.ask(), undefined);
  });

  test('signing out in one signs the same user out in all, and nobody else', async () => {
    const open = channels();
    const authenticate = () => json(200, { auth_token: 'auth', refresh_token: 'refresh' });
    const here = tab(authenticate, { channel: open() });
    await here.sessions.signIn('ada', 'secret');
    const there = peer(open(), 'there', '7/ada');
    there.peers.signedOut('8/ben');
    assert.ok(currentLogin());
    there.peers.signedOut('7/ada');
    assert.deepEqual(
      [here.ended, here.stored.size, currentLogin()],
      [['signed out elsewhere'], 0, undefined],
    );
    await here.sessions.signIn('ada', 'secret');
    here.sessions.signOut();
    assert.deepEqual(there.signedOut, ['7/ada']);
  });
});
