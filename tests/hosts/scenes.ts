import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { sha1Hex } from '../../src/auth/passwords.ts';
import { usageWebhook } from '../support/api-client.ts';
import { OPERATOR_TOKEN } from '../support/node-process.ts';
import { waitFor } from '../support/wait-for.ts';
import type { Scenes } from './people.ts';

const PASSWORD = 'correct horse battery';
const STREAMS = '/api/v2/data_stream';
const WHO_AM_I = '/api/v1/organisation/my';
/** For what must not arrive. */
const A_WHILE_MS = 2_000;
const WITHIN_MS = 60_000;

const statusOf = (status: number) => status;
const urlOf = (_: number, body: unknown) =>
  (body as { destination: { credentials: { url: string } } }).destination.credentials.url;
const idsOf = (_: number, body: unknown) => (body as { id: string }[]).map(({ id }) => id);

/** Each begins with an organisation of its own. */
export const SCENES: Scenes = {
  'another destination': async (people) => {
    const { token, number } = await people.organisation();
    const [before, after] = [`/${number}/a`, `/${number}/b`];
    const stream = await people.stream(token, before);
    let done = false;
    return {
      act: async () => {
        const credentials = { url: people.url(after), size: 100 };
        const destination = { connection_type: 'RestAPI', credentials, format: 'Json' };
        done = (await people.call('PATCH', stream, token, { destination })).outcome === 'done';
      },
      verify: async () => {
        const url = await people.everywhere(stream, token, urlOf);
        if (done) assert.equal(url, people.url(after));
        const record = await people.record(number);
        await people.arrived(record, new URL(url).pathname);
        assert.equal(people.of(record).length, 1, JSON.stringify(people.of(record)));
      },
    };
  },

  'a stream is deleted': async (people) => {
    const { token, number } = await people.organisation();
    const [path, other] = [`/${number}/a`, `/${number}/b`];
    const stream = await people.stream(token, path);
    await people.stream(token, other);
    let done = false;
    return {
      act: async () => {
        done = (await people.call('DELETE', stream, token)).outcome === 'done';
      },
      verify: async () => {
        const status = await people.everywhere(stream, token, statusOf);
        if (done) assert.equal(status, 404);
        const record = await people.record(number);
        await people.arrived(record, other);
        if (status === 200) await people.arrived(record, path);
        else await sleep(A_WHILE_MS);
        assert.equal(people.of(record).length, status === 200 ? 2 : 1);
        if (status === 200) await people.untilDone('DELETE', stream, token);
        assert.equal(await people.everywhere(stream, token, statusOf), 404);
      },
    };
  },

  'an organisation is deleted': async (people) => {
    const { id, token, number } = await people.organisation();
    await people.stream(token, `/${number}/a`);
    const organisation = `/operator/v1/organisations/${id}`;
    let done = false;
    return {
      act: async () => {
        done = (await people.call('DELETE', organisation, OPERATOR_TOKEN)).outcome === 'done';
      },
      verify: async () => {
        const status = await people.everywhere(organisation, OPERATOR_TOKEN, statusOf);
        if (done) assert.equal(status, 404);
        if (status === 200) await people.untilDone('DELETE', organisation, OPERATOR_TOKEN);
        assert.equal(await people.everywhere(organisation, OPERATOR_TOKEN, statusOf), 404);
        assert.equal(await people.everywhere(WHO_AM_I, token, statusOf), 401);
      },
    };
  },

  'a token is revoked, a user signs out, another is deleted': async (people) => {
    const { id, token, number } = await people.organisation();
    const users = `/operator/v1/organisations/${id}/users`;
    const logIn = async (body: object) => {
      const { text } = await people.untilDone('POST', '/api/v1/authenticate', '', body);
      return (JSON.parse(text) as { auth_token: string }).auth_token;
    };
    const user = async (name: string) => {
      const username = `${name}.${number}`;
      await people.untilDone('POST', users, OPERATOR_TOKEN, { username, password: PASSWORD });
      return logIn({ username, password: sha1Hex(PASSWORD) });
    };
    const made = await people.untilDone('POST', '/api/v1/application_token', token, {});
    const { id: tokenId, application_token } = JSON.parse(made.text) as {
      id: number;
      application_token: string;
    };
    const tokens = [await logIn({ application_token }), await user('ada'), await user('eve')] as const;
    const calls: readonly (readonly [method: string, path: string, token: string, body?: unknown])[] = [
      ['PATCH', `/api/v1/application_token/${tokenId}`, token, { status: { id: 1 } }],
      ['POST', '/api/v1/authenticate/logout', tokens[1], {}],
      ['DELETE', `${users}/eve.${number}`, OPERATOR_TOKEN],
    ];
    const done = [false, false, false];
    return {
      act: async () => {
        const called = await Promise.all(calls.map((call) => people.call(...call)));
        for (const [index, { outcome }] of called.entries()) done[index] = outcome === 'done';
      },
      verify: async () => {
        for (const [index, of] of tokens.entries()) {
          const status = await people.everywhere(WHO_AM_I, of, statusOf);
          if (done[index]) assert.equal(status, 401, calls[index]?.[1]);
        }
      },
    };
  },

  'a replay begins and is cancelled': async (people) => {
    const { token, number } = await people.organisation();
    const path = `/${number}/a`;
    const stream = await people.stream(token, path);
    const record = await people.record(number);
    await people.arrived(record, path);
    const isCancelled = people.random() < 0.5;
    let made = '';
    let cancelled = false;
    return {
      act: async () => {
        const called = await people.call('POST', `${stream}/replay`, token, { from: 'earliest' });
        if (called.outcome !== 'done') return;
        made = called.location.split('/').at(-1) ?? '';
        if (!isCancelled) return;
        cancelled = (await people.call('DELETE', `${stream}/replay/${made}`, token)).outcome === 'done';
      },
      verify: async () => {
        const ids = await people.everywhere(`${stream}/replay`, token, idsOf);
        if (made && !isCancelled) assert.ok(ids.includes(made), `${made} is not listed`);
        if (cancelled) assert.ok(!ids.includes(made), `${made} is listed`);
        for (const id of ids) await people.arrived(record, path, id);
      },
    };
  },

  'what was refused is sent again': async (people) => {
    const { token, number } = await people.organisation();
    const path = `/${number}/a`;
    const stream = await people.stream(token, path);
    const record = await people.record(number, true);
    // A record is quarantined when the receiver takes another one.
    await people.record(number);
    const listed = () => people.everywhere(`${stream}/quarantine`, token, idsOf);
    await waitFor(
      'it is quarantined',
      async () => (await listed().catch(() => [])).length === 1 || undefined,
      WITHIN_MS,
      200,
    );
    people.refused.delete(record);
    let answer:
      | { readonly delivered: number; readonly failed: readonly { readonly code: string }[] }
      | undefined;
    return {
      act: async () => {
        const { outcome, text } = await people.call('POST', `${stream}/quarantine/resend`, token, {});
        if (outcome === 'done') answer = JSON.parse(text);
      },
      verify: async () => {
        const left = await listed();
        const came = people.of(record).length;
        assert.ok(left.length === 1 || came > 0, 'it is neither quarantined nor delivered');
        if (answer?.delivered === 1) assert.equal(came, 1);
        if (answer?.delivered === 1 && answer.failed.length === 0) assert.deepEqual(left, []);
        if (left.length === 0) return;
        // Delivered, and the answer said that it could not be removed.
        const isOnlyLeft = answer?.failed[0]?.code === 'not_removed';
        await people.untilDone(
          'POST',
          `${stream}/quarantine/${isOnlyLeft ? 'discard' : 'resend'}`,
          token,
          {},
        );
        await people.arrived(record, path);
        assert.deepEqual(await listed(), []);
      },
    };
  },

  'a stream takes over from another': async (people) => {
    const { token, number } = await people.organisation();
    const [before, after] = [`/${number}/a`, `/${number}/b`];
    const stream = await people.stream(token, before);
    const early = await people.record(number);
    await people.arrived(early, before);
    const meanwhile: number[] = [];
    let done = false;
    return {
      act: async () => {
        const body = {
          ...(usageWebhook(after, people.url(after)) as object),
          continue_from: stream.split('/').at(-1),
        };
        done = (await people.call('POST', STREAMS, token, body)).outcome === 'done';
        meanwhile.push(await people.record(number));
      },
      verify: async () => {
        const ids = await people.everywhere(STREAMS, token, idsOf);
        if (done) assert.equal(ids.length, 2);
        const late = await people.record(number);
        await people.arrived(late, ids.length === 2 ? after : before);
        await waitFor(
          'all has arrived',
          () => meanwhile.every((id) => people.of(id).length > 0) || undefined,
        );
        assert.deepEqual(
          [early, late].map((id) => people.of(id).length),
          [1, 1],
          JSON.stringify([early, late].map((id) => people.of(id))),
        );
      },
    };
  },
};
