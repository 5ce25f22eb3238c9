import { hubError, throttled } from '../../../tests/support/event-hubs-rest.ts';
import { sampleIdsIn } from '../batches.fixture.ts';
import { testDestination } from '../destination.contract.ts';
import type { PeerBehaviour } from '../destination-world.fixture.ts';
import { type Answering, startHttpPeer } from '../http/peer.fixture.ts';
import { eventHubs } from './event-hubs.ts';

const KEY = 'c2VuZC1rZXktdGhhdC1ub2JvZHktbWF5LXNlZQ==';

async function start() {
  const peer = await startHttpPeer();
  const taken: string[] = [];
  const says =
    ({ status, body }: ReturnType<typeof hubError>): Answering =>
    ({ headers }, response) =>
      response.writeHead(status).end(`${body} ${headers.authorization} ${KEY}`);
  const answers: Record<Exclude<PeerBehaviour, 'half'>, Answering> = {
    ok: ({ body }, response) => {
      const events = JSON.parse(body.toString()) as { Body: string }[];
      for (const event of events) taken.push(...sampleIdsIn(event.Body));
      response.writeHead(201).end();
    },
    busy: says(throttled()),
    refuse: says(hubError(401, 'InvalidSignature: The token has an invalid signature.')),
    reject: says(hubError(400, 'The request body is not a valid batch of messages.')),
    too_large: says(hubError(413, 'exceeds the limit')),
    hang: () => {},
    close: (_, response) => response.socket?.destroy(),
  };
  peer.answer(answers.ok);
  return {
    credentials: {
      connection_string: `Endpoint=sb://127.0.0.1:${peer.port}/;SharedAccessKeyName=send;SharedAccessKey=${KEY};EntityPath=usage;UseDevelopmentEmulator=true`,
    },
    secrets: [KEY],
    behave: (behaviour: PeerBehaviour) => peer.answer(answers[behaviour as 'ok']),
    taken: () => taken,
    requests: peer.requests,
    reached: () => peer.reached(),
    disconnected: () => peer.disconnected(),
    stop: () => peer.stop(),
  };
}

for (const format of ['Json', 'CloudEvents'] as const) {
  testDestination(`EventHubs ${format}`, {
    format,
    type: eventHubs,
    start,
    deviations: { partial: 'Event Hubs takes a request whole or not at all' },
  });
}
