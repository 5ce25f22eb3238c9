import { ASK_EVERY } from '../../tests/support/api-client.ts';
import { waitFor } from '../../tests/support/wait-for.ts';
import { type BenchNode, withNode } from '../bench-node.ts';
import { createLive } from '../live.ts';
import { figure, type Scenario } from '../scenario.ts';
import { BATCH, CONNECTIONS } from './throughput.ts';

/** Of the live records. A replay has the same pace or a lower one, or the machine is what is measured. */
const PACE = 2_000;

export const replay: Scenario = {
  name: 'replay',
  description: 'latency of a live stream, alone and while a replay of its past is delivered beside it',

  run: async ({ rig, records = 100_000, quick, say }) => {
    const past = quick ? Math.min(records, 20_000) : records;
    const rounds = quick ? 1 : 3;
    return withNode(async (bench) => {
      const live = await createLive(bench, rig, { quick, rounds });
      const { target, sinkPath } = live.stream;
      const replays = await replaysOf(bench, target.organisationId as number);
      say(`warming up, and ${past.toLocaleString('en')} records of the past`);
      await rig.drive(rig.allot({ records: past, batch: BATCH, connections: CONNECTIONS }, target), sinkPath);
      await live.warmUp();
      const replayed: number[] = [];
      for (let round = 1; round <= rounds; round++) {
        say(`round ${round} of ${rounds}: live alone, then beside a replay`);
        await live.alone();
        const one = await replays.begin();
        await live.besideIt();
        replayed.push(await replays.end(one));
      }
      return {
        title: `${live.words} alone and beside a replay of ${PACE.toLocaleString('en')} records/s`,
        figures: [...live.figures('replay', 1.1), figure('replayed meanwhile', 'records', replayed)],
        holds: 'no live record lost, duplicated or changed',
        faults: live.faults,
      };
    });
  },
};

/** The replays of the organisation's only stream. */
async function replaysOf({ api }: BenchNode, organisationId: number) {
  const token = await api.authenticate(organisationId);
  const call = async (expected: number, method: string, path: string, body?: unknown) => {
    const answer = await api.call(method, `/api/v2/data_stream${path}`, token, body);
    if (answer.status !== expected) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return answer;
  };
  const [stream] = JSON.parse((await call(200, 'GET', '')).text) as { id: string }[];
  const path = `/${stream?.id}/replay`;
  return {
    /** Resolves when it delivers. */
    begin: async () => {
      const { headers } = await call(201, 'POST', path, { from: 'earliest', max_records_per_second: PACE });
      const id = String(headers.get('location')).split('/').at(-1) as string;
      await waitFor(
        'the replay delivers',
        async () => (await delivered(id)) > 0 || undefined,
        20_000,
        ASK_EVERY,
      );
      return id;
    },
    /** Cancels it. @returns how many records it delivered */
    end: async (id: string) => {
      const count = await delivered(id);
      await call(202, 'DELETE', `${path}/${id}`);
      return count;
    },
  };
  async function delivered(id: string): Promise<number> {
    const { progress } = JSON.parse((await call(200, 'GET', `${path}/${id}`)).text);
    return progress.delivered;
  }
}
