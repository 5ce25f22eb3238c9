import { setTimeout as sleep } from 'node:timers/promises';
import { startNameServer } from '../../src/destinations/names/name-server.fixture.ts';
import { type ApiClient, usageWebhook } from '../../tests/support/api-client.ts';
import { OPERATOR_TOKEN } from '../../tests/support/node-process.ts';
import { type ReceivedRequest, type ReceiverAnswer, startReceiver } from '../../tests/support/receiver.ts';
import { ATTACKS, type Attack } from '../attacks.ts';
import { type BenchNode, createStream, withNode } from '../bench-node.ts';
import type { Paced } from '../rig.ts';
import { type Figure, figure, median, percentile, type Scenario } from '../scenario.ts';

/** Of the quiet organisation: a fleet that reports now and then. */
const RATE = 100;
const SECONDS = 8;
const QUIET = 1_000_002;
const FIRST_ATTACKER = 1_000_010;
const SLOW_MS = 25_000;

export const noisy: Scenario = {
  name: 'noisy',
  description:
    'what one organisation can do to another: latency and calls of a quiet one, without and with each attack',

  run: async ({ rig, quick, say }) => {
    const nameServer = await startNameServer();
    const receiver = await startReceiver(answerAttacker);
    try {
      return await withNode(
        async (bench) => {
          const body = usageWebhook('quiet', `${rig.sinkUrl}/quiet`);
          const { target } = await createStream(bench, QUIET, 'usage', body);
          const token = await bench.api.authenticate(QUIET);
          const shape = { records: (quick ? 1 : SECONDS) * RATE, batch: 1, connections: 4 };
          const measure = async () => {
            const calls = measureCalls(bench.api, token);
            const paced = await rig.pace(rig.allot(shape, target), RATE, '/quiet');
            return { ...paced, calls: await calls() };
          };
          await measure();
          const figures: Figure[] = [];
          const faults: string[] = [];
          for (const [at, attack] of ATTACKS.entries()) {
            say(attack.name);
            const alone = await measure();
            const beside = await during(bench, attack, {
              organisationId: FIRST_ATTACKER + at,
              receiver: receiver.url,
              streams: quick ? 10 : 100,
              measure,
            });
            figures.push(...rowOf(attack.name, alone, beside));
            faults.push(...[...alone.faults, ...beside.faults].map((fault) => `${attack.name}: ${fault}`));
          }
          return {
            title: `a quiet organisation with ${RATE} records/s and 10 calls/s, ${shape.records / RATE} s without and with each attack of another one`,
            figures,
            holds: 'no record of the quiet organisation lost, duplicated or changed',
            faults,
          };
        },
        {
          environment: {
            SIMSTREAM_ALLOW_DESTINATIONS: '127.0.0.0/8',
            SIMSTREAM_NAME_SERVERS: nameServer.address,
            SIMSTREAM_VERIFY_DESTINATIONS: 'false',
          },
        },
      );
    } finally {
      await receiver.close();
      await nameServer.stop();
    }
  },
};

/** The attacker's receiver. */
let requests = 0;
async function answerAttacker({ path, cut }: ReceivedRequest): Promise<ReceiverAnswer> {
  requests++;
  if (path === '/reject') return { status: requests % 50 === 0 ? 200 : 422 };
  if (path === '/statuses') return { status: 400 + (requests % 196) };
  if (path === '/slow') await sleep(SLOW_MS, undefined, { signal: cut }).catch(() => {});
  return { status: 200 };
}

interface Measured extends Paced {
  /** Milliseconds of each call. */
  readonly calls: readonly number[];
}

interface Situation {
  readonly organisationId: number;
  readonly receiver: string;
  readonly streams: number;
  measure(): Promise<Measured>;
}

async function during({ api, node }: BenchNode, attack: Attack, situation: Situation): Promise<Measured> {
  const { organisationId, receiver, streams, measure } = situation;
  await api.createOrganisation(organisationId, attack.name);
  const token = await api.authenticate(organisationId);
  const run = await attack.prepare({ api, port: node.port, organisationId, token, receiver, streams });
  const stop = new AbortController();
  const running = run(stop.signal);
  await sleep(1_000);
  try {
    return await measure();
  } finally {
    stop.abort();
    await running;
    // The next attack is measured alone.
    await api.call('DELETE', `/operator/v1/organisations/${organisationId}`, OPERATOR_TOKEN);
  }
}

/** Ten calls a second of the quiet organisation. @returns ends them, and gives how long each took */
function measureCalls(api: ApiClient, token: string): () => Promise<readonly number[]> {
  const taken: number[] = [];
  let ended = false;
  const running = (async () => {
    while (!ended) {
      const begun = performance.now();
      await api.call('GET', '/api/v2/data_stream', token);
      taken.push(performance.now() - begun);
      await sleep(100);
    }
  })();
  return async () => {
    ended = true;
    await running;
    return taken;
  };
}

function rowOf(row: string, alone: Measured, beside: Measured): Figure[] {
  const one = (name: string, value: number): Figure => ({ ...figure(name, 'ms', [value]), row });
  return [
    one('p50 without', percentile(alone.latencies, 0.5)),
    one('p50 with', percentile(beside.latencies, 0.5)),
    one('p99 without', percentile(alone.latencies, 0.99)),
    one('p99 with', percentile(beside.latencies, 0.99)),
    one('call without', median(alone.calls)),
    one('call with', median(beside.calls)),
  ];
}
