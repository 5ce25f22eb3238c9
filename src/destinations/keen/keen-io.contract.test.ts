import { testDestination } from '../destination.contract.ts';
import type { PeerBehaviour } from '../destination-world.fixture.ts';
import { type Answering, startHttpPeer } from '../http/peer.fixture.ts';
import { answering, type VendorAnswer } from '../vendor.fixture.ts';
import { keenIo } from './keen-io.ts';

const KEY = 'A1B2C3D4E5F60718293A4B5C6D7E8F90';
const says = (status: number, code: string): VendorAnswer => ({
  status,
  body: { error_code: code, message: `no: ${KEY}` },
});
const failed = (name: string) => ({ success: false, error: { name, description: `no: ${KEY}` } });

/** The ids of the records of a batch, as digits. */
function idsIn(body: Buffer): string[] {
  return [...body.toString().matchAll(/"id":(\d+),"(?:traffic_type|timestamp|submit_date)"/g)].map(
    (match) => match[1] as string,
  );
}

async function start() {
  const peer = await startHttpPeer();
  const taken: string[] = [];
  /** Looks at each record of a batch, and takes those of which `fault` says nothing. */
  const take =
    (fault: (index: number) => string | undefined): Answering =>
    (received, response) => {
      const results = idsIn(received.body).map((id, index) => {
        const name = fault(index);
        if (name) return failed(name);
        taken.push(id);
        return { success: true };
      });
      answering({ status: 200, body: { sim_records: results } })(received, response);
    };
  const answers: Record<PeerBehaviour, Answering> = {
    ok: take(() => undefined),
    half: take((index) =>
      index % 3 === 0 ? 'ServerError' : index % 3 === 1 ? 'InvalidPropertyValueError' : undefined,
    ),
    reject: take(() => 'InvalidPropertyNameError'),
    busy: answering(says(503, 'Unavailable')),
    refuse: answering(says(401, 'InvalidApiKeyError')),
    too_large: answering(says(413, 'RequestTooLarge')),
    hang: answering('hang'),
    close: answering('close'),
  };
  peer.answer(answers.ok);
  return {
    credentials: { project_id: '5f2a9c81d0e34b7796ab12cd', write_key: KEY, collection_name: 'sim_records' },
    variables: { KEEN_API_URL: `http://127.0.0.1:${peer.port}` },
    secrets: [KEY],
    behave: (behaviour: PeerBehaviour) => peer.answer(answers[behaviour]),
    taken: () => taken,
    requests: peer.requests,
    reached: () => peer.reached(),
    disconnected: () => peer.disconnected(),
    stop: () => peer.stop(),
  };
}

testDestination('KeenIO', { type: keenIo, start });
