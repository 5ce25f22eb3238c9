import { googleError, json, newServiceAccount } from '../../../tests/support/pub-sub-rest.ts';
import { sampleIdsIn } from '../batches.fixture.ts';
import { testDestination } from '../destination.contract.ts';
import type { PeerBehaviour } from '../destination-world.fixture.ts';
import { type Answering, startHttpPeer } from '../http/peer.fixture.ts';
import { pubSub } from './pub-sub.ts';

const account = newServiceAccount('streamer@sim-operator.iam.gserviceaccount.com');
process.env.GOOGLE_APPLICATION_CREDENTIALS = account.keyFile;

async function start() {
  const peer = await startHttpPeer();
  const taken: string[] = [];
  let refused = false;
  const says =
    ({ status, body }: ReturnType<typeof googleError>): Answering =>
    (_, response) =>
      response.writeHead(status).end(body);
  const answers: Record<Exclude<PeerBehaviour, 'half'>, Answering> = {
    ok: ({ body }, response) => {
      const { messages } = JSON.parse(body.toString()) as { messages: { data: string }[] };
      for (const { data } of messages) taken.push(...sampleIdsIn(Buffer.from(data, 'base64').toString()));
      response.end(JSON.stringify({ messageIds: messages.map((_, index) => String(index)) }));
    },
    busy: says(googleError(503, 'UNAVAILABLE', 'The service is currently unavailable.')),
    refuse: ({ headers }, response) => {
      const { status, body } = googleError(403, 'PERMISSION_DENIED', `not for ${headers.authorization}`);
      response.writeHead(status).end(body);
    },
    reject: says(googleError(400, 'INVALID_ARGUMENT', 'Message failed schema validation.')),
    too_large: says(googleError(400, 'INVALID_ARGUMENT', 'Request payload size exceeds the limit.')),
    hang: () => {},
    close: (_, response) => response.socket?.destroy(),
  };
  const behave = (behaviour: PeerBehaviour) => {
    refused = behaviour === 'refuse';
    const answer = answers[behaviour as 'ok'];
    peer.answer((request, response) => {
      if (request.method === 'GET') {
        return says(json(200, { labels: { simstream_organisation: 'org-70412' } }))(request, response);
      }
      if (!request.url.endsWith(':testIamPermissions')) return answer(request, response);
      const permissions = refused ? {} : { permissions: ['pubsub.topics.publish'] };
      says(json(200, permissions))(request, response);
    });
  };
  behave('ok');
  return {
    credentials: { cps_project: 'iot-records', cps_topic: 'usage' },
    variables: { CLOUDSDK_API_ENDPOINT_OVERRIDES_PUBSUB: `http://127.0.0.1:${peer.port}/` },
    secrets: [],
    behave,
    taken: () => taken,
    requests: peer.requests,
    reached: () => peer.reached(),
    disconnected: () => peer.disconnected(),
    stop: () => peer.stop(),
  };
}

for (const format of ['Json', 'CloudEvents'] as const) {
  testDestination(`PubSub ${format}`, {
    format,
    type: pubSub,
    start,
    deviations: { partial: 'Pub/Sub takes a request whole or not at all' },
  });
}
