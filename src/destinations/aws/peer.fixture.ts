import type { ServerResponse } from 'node:http';
import { BASE_KEYS, TestSts } from '../../../tests/support/aws-sts.ts';
import type { DestinationPeer, PeerBehaviour } from '../destination-world.fixture.ts';
import { type ReceivedRequest, startHttpPeer } from '../http/peer.fixture.ts';

const ROLE = 'arn:aws:iam::123456789012:role/simstream';

/** An answer of a service, or the fate of the connection instead. */
export type Served = { readonly status: number; readonly body: string } | 'hang' | 'close';

/**
 * STS and one other service of AWS behind one address, for the contract suite. Only the other service misbehaves.
 * @param serve answers all requests that are not for STS
 */
export async function startAwsPeer(
  credentials: Record<string, unknown>,
  serve: (behaviour: PeerBehaviour, request: ReceivedRequest, taken: string[]) => Served,
): Promise<DestinationPeer> {
  const peer = await startHttpPeer();
  const sts = new TestSts([{ arn: ROLE, externalId: 'org-70412' }]);
  const taken: string[] = [];
  let behaviour: PeerBehaviour = 'ok';
  let waiting: (() => void)[] = [];
  peer.answer((request, response) => {
    if (request.headers['content-type']?.startsWith('application/x-www-form-urlencoded')) {
      const answer = sts.answer({ ...request, path: request.url });
      if (typeof answer !== 'string') response.writeHead(answer.status).end(answer.body);
      return;
    }
    const woken = waiting;
    waiting = [];
    for (const wake of woken) wake();
    respond(response, serve(behaviour, request, taken));
  });
  return {
    credentials: { region: 'eu-west-1', role_arn: ROLE, ...credentials },
    variables: {
      AWS_ACCESS_KEY_ID: BASE_KEYS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: BASE_KEYS.secretAccessKey,
      AWS_ENDPOINT_URL: `http://127.0.0.1:${peer.port}`,
    },
    secrets: [],
    behave: (next) => {
      behaviour = next;
    },
    taken: () => taken,
    requests: peer.requests,
    reached: () => new Promise((resolve) => waiting.push(resolve)),
    disconnected: () => peer.disconnected(),
    stop: () => peer.stop(),
  };
}

function respond(response: ServerResponse, served: Served): void {
  if (served === 'hang') return;
  if (served === 'close') response.socket?.destroy();
  else response.writeHead(served.status).end(served.body);
}
