import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { FlowWorld } from './support/flow-world.ts';
import { type ReceivedRequest, startReceiver } from './support/receiver.ts';
import { waitFor } from './support/wait-for.ts';

const [, SET = ''] = /```sh\n([\s\S]*?)```/.exec(readFileSync('docs/notifications.md', 'utf8')) ?? [];
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

test('an owner is notified of an error and its end, through a crash, and sees both in the event stream', {
  timeout: 300_000,
}, async (t) => {
  let refusing = false;
  const world = await FlowWorld.start(t, {
    environment: { SIMSTREAM_RETRY_WINDOW: '1s' },
    answer: async () => ({ status: refusing ? 503 : 200 }),
  });
  const messages: ReceivedRequest[] = [];
  const events: { event_type: { id: number }; detail: { data_stream: { id: string } } }[] = [];
  let answering = true;
  const alerts = await startReceiver(async (request) => {
    if (request.path === '/events') {
      if (request.body.length > 0) events.push(...JSON.parse(request.body.toString()));
      return { status: 200 };
    }
    messages.push(request);
    // Before the crash the receiver is busy: the message must outlive the node.
    return { status: answering ? 200 : 503 };
  });
  t.after(() => alerts.close());
  const webhook = new Webhook(SECRET);
  const read = ({ headers, body }: ReceivedRequest) =>
    webhook.verify(body.toString(), headers as Record<string, string>) as {
      type: string;
      data: { message: string; data_stream?: { id: string } };
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

  refusing = true;
  answering = false;
  await world.send(10);
  await waitFor('the first message', () => messages.length > 0 || undefined, 60_000);
  const first = read(messages[0] as ReceivedRequest);
  assert.equal(first.type, 'data_stream.error');
  assert.equal(first.data.data_stream?.id, id);
  await world.kill();
  answering = true;
  messages.length = 0;
  await world.restart();
  await waitFor('the message again', () => messages.length > 0 || undefined, 60_000);

  refusing = false;
  await world.call(202, 'POST', `/${id}/restart`);
  await waitFor(
    'the end of the error',
    () => messages.some((message) => read(message).type === 'data_stream.recovered') || undefined,
    60_000,
  );
  await waitFor('both events', () => events.length >= 2 || undefined, 60_000);
  assert.deepEqual(
    events.map((event) => [event.event_type.id, event.detail.data_stream.id]),
    [
      [10_001, id],
      [10_002, id],
    ],
  );
  const ids = new Map(messages.map((message) => [message.headers['webhook-id'], read(message).type]));
  assert.deepEqual([...ids.values()], ['data_stream.error', 'data_stream.recovered']);
  await waitFor('all records', () => new Set(world.of('/usage').records).size === 10 || undefined);
});
