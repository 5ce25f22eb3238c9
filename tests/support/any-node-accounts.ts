import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha1Hex } from '../../src/auth/passwords.ts';
import { type AnyNodeWorld, NODES, STREAMS } from './any-node-world.ts';

const PASSWORD = 'correct horse battery';

/** Who may call what is the same at every node at once: nothing here waits. */
export function accountTests(world: AnyNodeWorld): void {
  const authenticate = async (node: number, status: number, body: object) => {
    const { text } = await world.call(node, '', status, 'POST', '/api/v1/authenticate', body);
    return JSON.parse(text) as { auth_token: string; refresh_token: string; message: string };
  };
  const logIn = (node: number, status: number, username: string, password: string) =>
    authenticate(node, status, { username, password: sha1Hex(password) });
  const whoAmI = (node: number, status: number, token: string) =>
    world.call(node, token, status, 'GET', '/api/v1/organisation/my');

  test('an application token of one node is good at another, and none is once it is revoked at a third', async () => {
    const { token } = await world.tenantAt(0);
    for (const turn of NODES) {
      const [a, b, c] = NODES.map((_, index) => (turn + index) % NODES.length) as [number, number, number];
      const made = await world.call(a, token, 200, 'POST', '/api/v1/application_token', {});
      const { id, application_token } = JSON.parse(made.text) as { id: number; application_token: string };
      const { auth_token } = await authenticate(b, 200, { application_token });
      for (const node of [a, b, c]) await whoAmI(node, 200, auth_token);
      await world.same((node) => world.read(node, token, '/api/v1/application_token'));
      const revoked = { status: { id: 1 } };
      await world.call(a, token, 204, 'PATCH', `/api/v1/application_token/${id}`, revoked);
      for (const node of [c, b, a]) {
        await whoAmI(node, 401, auth_token);
        await authenticate(node, 401, { application_token });
      }
    }
  });

  test('a user of one node logs in at another, and is out everywhere by a new password, and when removed', async () => {
    const organisation = await world.organisationIdAt(1);
    await world.operator(0, 201, 'POST', 'organisations', { id: organisation, name: 'Users' });
    const path = `organisations/${organisation}/users`;
    await world.operator(0, 201, 'POST', path, { username: 'ada.any', password: PASSWORD });
    const { auth_token, refresh_token } = await logIn(1, 200, 'Ada.Any', PASSWORD);
    await whoAmI(2, 200, auth_token);
    const renewed = await authenticate(2, 200, { refresh_token });
    await whoAmI(0, 200, renewed.auth_token);
    await world.same((node) => world.read(node, auth_token, '/api/v1/user/my'));

    await world.operator(2, 200, 'PATCH', `${path}/ada.any`, { role: 'observer' });
    for (const node of NODES)
      await world.call(node, auth_token, 403, 'POST', '/api/v1/application_token', {});
    await world.operator(1, 200, 'PATCH', `${path}/ada.any`, { password: 'another' });
    for (const node of NODES) {
      await whoAmI(node, 401, auth_token);
      await authenticate(node, 401, { refresh_token });
    }
    const { auth_token: last } = await logIn(2, 200, 'ada.any', 'another');
    await world.operator(0, 204, 'DELETE', `${path}/ada.any`);
    for (const node of NODES) await whoAmI(node, 401, last);
  });

  test('failed logins of a user count together; those of a name that nobody has, at each node', async () => {
    const organisation = await world.organisationIdAt(2);
    await world.operator(1, 201, 'POST', 'organisations', { id: organisation, name: 'Locked' });
    const path = `organisations/${organisation}/users`;
    await world.operator(1, 201, 'POST', path, { username: 'eve.any', password: PASSWORD });
    for (const node of NODES) assert.match((await logIn(node, 401, 'eve.any', 'guess')).message, /wrong/);
    for (const node of NODES) assert.match((await logIn(node, 401, 'eve.any', PASSWORD)).message, /locked/);
    for (const node of NODES) assert.match((await logIn(node, 401, 'no.one', 'guess')).message, /wrong/);
    assert.match((await logIn(0, 401, 'no.one', 'guess')).message, /wrong/);
  });

  test('a child organisation is known to ingest and to its parent’s stream at every node at once', async (t) => {
    const parent = await world.tenantAt(1);
    const inbox = world.inbox();
    const path = await world.createStream(2, parent, inbox, { relation_resolution: { id: 2 } });
    await world.shownEverywhere('it runs', parent, path, ({ status }) => status.id === 1);
    const sent: number[] = [];
    let slowest = 0;
    for (let round = 0; round < 9; round++) {
      const at = (turn: number) => (round + turn) % NODES.length;
      const child = 3_000_000 + round;
      const body = { id: child, name: `Child ${round}`, parent_id: parent.id };
      await world.operator(at(0), 201, 'POST', 'organisations', body);
      // Of the parent itself, which `Children` leaves out, and of the child.
      const events = [...world.events(parent.id, [1]), ...world.events(child, [1, 1])];
      await world.ingest(at(1 + (round % 2)), events);
      sent.push(...events.slice(1).map(({ id }) => id));
      slowest = Math.max(slowest, await world.effect('they arrive', () => inbox.ids.length >= sent.length));
    }
    assert.deepEqual(inbox.ids, sent);
    const delivered = ({ progress }: { progress: { delivered: number } }) =>
      progress.delivered === sent.length;
    await world.shownEverywhere('counters', parent, path, delivered);
    assert.deepEqual(await world.same((node) => world.read(node, parent.token, STREAMS)), [
      await world.show(0, parent, path),
    ]);
    t.diagnostic(`records of a child that was just made arrived within ${slowest.toFixed(0)} ms`);
  });
}
