import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { usageWebhook } from './support/api-client.ts';
import { FlowWorld } from './support/flow-world.ts';
import { OPERATOR_TOKEN } from './support/node-process.ts';
import { type ReceivedRequest, startReceiver } from './support/receiver.ts';
import { UsageRecords } from './support/usage-records.ts';
import { waitFor } from './support/wait-for.ts';

const [, SET = ''] = /```sh\n([\s\S]*?)```/.exec(readFileSync('docs/notifications.md', 'utf8')) ?? [];
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
/** Of the operator, who is notified about organisations that have set no receiver. */
const OPERATORS_SECRET = 'whsec_b3BlcmF0b3Jfb3BlcmF0b3Jfb3BlcmF0b3I=';
/** It has set none. */
const OTHER = 1_000_002;

test('an owner, or else the operator, is notified of an error and its end, through a crash; both are events as well', {
  timeout: 300_000,
}, async (t) => {
  let refusing = false;
  const messages: ReceivedRequest[] = [];
  const toOperator: ReceivedRequest[] = [];
  const events: { event_type: { id: number }; detail: { data_stream: { id: string } } }[] = [];
  let answering = true;
  const alerts = await startReceiver(async (request) => {
    if (request.path === '/events') {
      if (request.body.length > 0) events.push(...JSON.parse(request.body.toString()));
      return { status: 200 };
    }
    (request.path === '/operator' ? toOperator : messages).push(request);
    // Before the crash the receiver is busy: the message must outlive the node.
    return { status: answering ? 200 : 503 };
  });
  t.after(() => alerts.close());
  const world = await FlowWorld.start(t, {
    environment: {
      SIMSTREAM_RETRY_WINDOW: '1s',
      SIMSTREAM_NOTIFICATION_URL: `${alerts.url}/operator`,
      SIMSTREAM_NOTIFICATION_SECRET: OPERATORS_SECRET,
    },
    answer: async () => ({ status: refusing ? 503 : 200 }),
  });
  const webhook = new Webhook(SECRET);
  const operators = new Webhook(OPERATORS_SECRET);
  const read = ({ path, headers, body }: ReceivedRequest) =>
    (path === '/operator' ? operators : webhook).verify(
      body.toString(),
      headers as Record<string, string>,
    ) as {
      type: string;
      data: { message: string; organisation: { id: number }; data_stream?: { id: string } };
    };

  // The command of the guide, to this receiver.
  const command = SET.replace('https://alerts.example/simstream', `${alerts.url}/alerts`);
  const env = { ...process.env, URL: world.api.url, TOKEN: world.token };
  execFileSync('bash', ['-euc', command.replace('curl', 'curl -fsS')], { env });
  const tested = (await world.call(200, 'POST', '/notification/test')) as { outcome: string };
  assert.equal(tested.outcome, 'delivered');
  assert.equal(read(messages[0] as ReceivedRequest).type, 'data_stream.test');
  messages.length = 0;
  await world.api.createStream(world.token, {
    data_stream_type: { id: 2 },
    filters: [{ field: 'event_type_id', op: 'gte', value: 10_001 }],
    destination: { connection_type: 'RestAPI', credentials: { url: `${alerts.url}/events` } },
  });
  const id = await world.create('/usage', { name: 'Meters' });
  await world.api.createOrganisation(OTHER, 'Without a receiver');
  const token = await world.api.authenticate(OTHER);
  const other = await world.api.createStream(token, usageWebhook('other', `${world.receiver}/other`, 10));
  const path = '/api/v2/data_stream/notification';
  const shown = JSON.parse((await world.api.call('GET', path, token)).text) as {
    readonly url: string | null;
    readonly default_receiver: boolean;
  };
  assert.deepEqual([shown.url, shown.default_receiver], [null, true]);

  refusing = true;
  answering = false;
  await world.send(10);
  const records = JSON.parse(new UsageRecords(OTHER).batch(0, 1).toString()) as object[];
  await world.api.call('POST', '/operator/v1/records/usage', OPERATOR_TOKEN, records);
  const bothHave = (type: string) => () =>
    [messages, toOperator].every((all) => all.some((message) => read(message).type === type)) || undefined;
  await waitFor('the first messages', bothHave('data_stream.error'), 60_000);
  const first = read(messages[0] as ReceivedRequest);
  assert.equal(first.type, 'data_stream.error');
  assert.equal(first.data.data_stream?.id, id);
  await world.kill();
  answering = true;
  messages.length = 0;
  toOperator.length = 0;
  await world.restart();
  await waitFor('the messages again', bothHave('data_stream.error'), 60_000);

  refusing = false;
  await world.call(202, 'POST', `/${id}/restart`);
  await world.api.call('POST', `/api/v2/data_stream/${other}/restart`, token);
  await waitFor('the end of the error', bothHave('data_stream.recovered'), 60_000);
  await waitFor('both events', () => events.length >= 2 || undefined, 60_000);
  assert.deepEqual(
    events.map((event) => [event.event_type.id, event.detail.data_stream.id]),
    [
      [10_001, id],
      [10_002, id],
    ],
  );
  for (const [all, organisation, stream] of [
    [messages, world.organisation, id],
    [toOperator, OTHER, other],
  ] as const) {
    const ids = new Map(all.map((message) => [message.headers['webhook-id'], read(message)]));
    assert.deepEqual(
      [...ids.values()].map(({ type, data }) => [type, data.organisation.id, data.data_stream?.id]),
      [
        ['data_stream.error', organisation, stream],
        ['data_stream.recovered', organisation, stream],
      ],
    );
  }
  await waitFor('all records', () => new Set(world.of('/usage').records).size === 10 || undefined);
});
