import { sampleIdsIn } from '../batches.fixture.ts';
import { testDestination } from '../destination.contract.ts';
import type { PeerBehaviour } from '../destination-world.fixture.ts';
import { type Answering, startHttpPeer } from './peer.fixture.ts';
import { restApi } from './rest-api.ts';

const SECRET = 'Bearer s3cr3t-t0ken-of-the-receiver';
const SIGNING = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

/** Answers that repeat the request's headers, as debugging endpoints do: no cause may show them. */
const refusing = (status: number): Answering => {
  return ({ headers }, response) =>
    response.writeHead(status).end(`no: ${JSON.stringify(headers)} ${SIGNING}`);
};

const ANSWERS: Record<Exclude<PeerBehaviour, 'ok' | 'half'>, Answering> = {
  busy: refusing(503),
  refuse: refusing(401),
  reject: refusing(422),
  too_large: refusing(413),
  hang: () => {},
  close: (_, response) => response.socket?.destroy(),
};

async function start() {
  const peer = await startHttpPeer();
  const taken: string[] = [];
  const take: Answering = ({ body }, response) => {
    taken.push(...sampleIdsIn(body.toString()));
    response.writeHead(200).end('thanks');
  };
  peer.answer(take);
  return {
    credentials: {
      url: `http://127.0.0.1:${peer.port}/in`,
      headers: [`Authorization: ${SECRET}`, 'X-Api-Key:another-secret-1'],
      signing_secret: SIGNING,
    },
    secrets: [SECRET, 's3cr3t-t0ken-of-the-receiver', 'another-secret-1', SIGNING],
    behave: (behaviour: PeerBehaviour) => {
      peer.answer(behaviour === 'ok' || behaviour === 'half' ? take : ANSWERS[behaviour]);
    },
    taken: () => taken,
    requests: peer.requests,
    reached: () => peer.reached(),
    disconnected: () => peer.disconnected(),
    stop: () => peer.stop(),
  };
}

for (const format of ['Json', 'NdJson', 'CloudEvents'] as const) {
  testDestination(`RestAPI ${format}`, {
    format,
    type: restApi,
    deviations: {
      partial: 'a webhook takes a request as a whole or not at all',
      verifyRefused: 'nothing is sent to a webhook that it could take for a delivery, so it cannot refuse',
    },
    start,
  });
}
