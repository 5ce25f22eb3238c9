import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'undici';
import { TEMPLATES, type UsageRecords } from '../../tests/support/usage-records.ts';
import { type NumberedKind, numberedRecords } from '../numbered-records.ts';
import { answerCalls, machineTime } from './calls.ts';

/** The operator's side, in a process of its own: sends usage records as fast as the receiver takes them, or at a given pace. */
export interface Load {
  /** The URL that requests are posted to. */
  readonly origin: string;
  readonly path: string;
  readonly token: string;
  readonly organisationId: number;
  /** Records are of so many organisations in turn; missing: of one. */
  readonly organisations?: number;
  readonly kind: NumberedKind;
  /** Number of the first record. */
  readonly first: number;
  readonly records: number;
  /** Records of a request. */
  readonly batch: number;
  readonly connections: number;
}

export interface Sent {
  /** machineTime of the first request, and of the last answer. */
  readonly startedAt: number;
  readonly endedAt: number;
  /** Number of answers 429 and 503; each such request was sent again after the time in the answer. */
  readonly pushedBack: number;
  /** CPU of this process during the load, in microseconds. */
  readonly cpuMicros: number;
}

/** A connection with the bodies that it sends in turn; all bodies are built beforehand, later only ids are overwritten. */
interface Lane {
  readonly client: Client;
  readonly bodies: readonly { readonly body: Buffer; madeFor: number }[];
}

let made: UsageRecords;
let lanes: Lane[] = [];

const handlers = {
  /** Builds bodies and opens connections. */
  prepare: async (load: Load): Promise<void> => {
    await Promise.all(lanes.map(({ client }) => client.destroy()));
    made = numberedRecords(load.kind, load.organisationId, load.organisations);
    if (load.first % TEMPLATES !== 0) throw new Error(`the first record must be a multiple of ${TEMPLATES}`);
    const stride = load.connections * load.batch;
    lanes = Array.from({ length: load.connections }, (_, lane) => ({
      client: new Client(load.origin, { pipelining: 1, keepAliveTimeout: 60_000 }),
      bodies: Array.from({ length: bodiesNeeded(stride) }, (_, turn) => {
        const madeFor = lane * load.batch + turn * stride;
        return { body: made.batch(madeFor, load.batch), madeFor };
      }),
    }));
  },

  /** Closed loop: each connection sends its next request when the previous one was answered. */
  run: async (load: Load): Promise<Sent> => {
    const cpu = process.cpuUsage();
    const startedAt = machineTime();
    const pushedBack = await Promise.all(lanes.map((lane, index) => runLane(load, lane, index)));
    const endedAt = machineTime();
    const { user, system } = process.cpuUsage(cpu);
    return { startedAt, endedAt, pushedBack: sum(pushedBack), cpuMicros: user + system };
  },

  /** Open loop: a request every `batch / rate` seconds, whether or not the previous ones were answered. */
  pace: async ({ load, rate }: { load: Load; rate: number }): Promise<{ sentAt: Float64Array }> => {
    const requests = load.records / load.batch;
    const bodies = Array.from({ length: requests }, (_, at) =>
      made.batch(load.first + at * load.batch, load.batch),
    );
    const every = (1_000 * load.batch) / rate;
    const sentAt = new Float64Array(requests);
    const answers: Promise<number>[] = [];
    const startedAt = machineTime();
    for (const [at, body] of bodies.entries()) {
      const due = startedAt + at * every - machineTime();
      if (due > 0) await sleep(due);
      sentAt[at] = machineTime();
      const lane = lanes[at % lanes.length] as Lane;
      answers.push(post(load, lane.client, body));
    }
    await Promise.all(answers);
    return { sentAt };
  },
};

export type ProducerCalls = typeof handlers;

async function runLane(load: Load, { client, bodies }: Lane, lane: number): Promise<number> {
  const { first, batch, connections } = load;
  let pushedBack = 0;
  for (let at = 0, offset = lane * batch; offset < load.records; at++, offset += connections * batch) {
    const next = bodies[at % bodies.length] as { body: Buffer; madeFor: number };
    made.renumber(next.body, next.madeFor, first + offset, batch);
    next.madeFor = first + offset;
    pushedBack += await post(load, client, next.body);
  }
  return pushedBack;
}

/** Sends until the receiver takes it; returns how often the receiver asked to wait. */
async function post(load: Load, client: Client, body: Buffer): Promise<number> {
  for (let pushedBack = 0; ; pushedBack++) {
    const response = await client.request({
      method: 'POST',
      path: load.path,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${load.token}` },
      body,
    });
    const text = await response.body.text();
    if (response.statusCode >= 200 && response.statusCode < 300) return pushedBack;
    if (response.statusCode !== 429 && response.statusCode !== 503) {
      throw new Error(`the receiver answered ${response.statusCode}: ${text.slice(0, 500)}`);
    }
    await sleep(1_000 * Number(response.headers['retry-after'] ?? 1));
  }
}

/** After this many turns a lane is back at the same templates, so that a body can be renumbered. */
function bodiesNeeded(stride: number): number {
  let turns = 1;
  while ((turns * stride) % TEMPLATES !== 0) turns++;
  return turns;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

answerCalls(handlers);
