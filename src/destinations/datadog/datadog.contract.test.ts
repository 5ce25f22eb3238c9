import { sampleIdsIn } from '../batches.fixture.ts';
import { testDestination } from '../destination.contract.ts';
import type { PeerBehaviour } from '../destination-world.fixture.ts';
import { type Answering, startHttpPeer } from '../http/peer.fixture.ts';
import { answering, unpack, type VendorAnswer } from '../vendor.fixture.ts';
import { datadog } from './datadog.ts';

const KEY = '0123456789abcdef0123456789abcdef';
const says = (status: number): VendorAnswer => ({ status, body: { errors: [`no: ${KEY}`] } });

const ANSWERS: Record<Exclude<PeerBehaviour, 'ok' | 'half'>, Answering> = {
  busy: answering(says(429)),
  refuse: answering(says(403)),
  reject: answering(says(400)),
  too_large: answering(says(413)),
  hang: answering('hang'),
  close: answering('close'),
};

async function start() {
  const peer = await startHttpPeer();
  const taken: string[] = [];
  const take: Answering = (received, response) => {
    const { method, text } = unpack(received);
    if (method === 'POST') taken.push(...sampleIdsIn(text));
    answering(method === 'POST' ? { status: 202, body: {} } : { status: 200, body: { valid: true } })(
      received,
      response,
    );
  };
  peer.answer(take);
  return {
    credentials: { api_key: KEY },
    variables: { DD_URL: `http://127.0.0.1:${peer.port}` },
    secrets: [KEY],
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

testDestination('Datadog', {
  type: datadog,
  // Metrics carry no record ids; datadog.test.ts shows which points become of which usage records.
  kinds: ['event'],
  deviations: {
    partial: 'an intake takes a request as a whole or not at all',
    marked: 'a log is the record itself, and a metric has nothing but tags',
  },
  start,
});
