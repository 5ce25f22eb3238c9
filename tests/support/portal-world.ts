import { setTimeout as sleep } from 'node:timers/promises';
import { type ApiClient, createApiClient } from './api-client.ts';
import { type NodeProcess, OPERATOR_TOKEN, startNode } from './node-process.ts';
import { removeDirectory, temporaryDirectory } from './owned.ts';
import { type ReceivedRequest, type Receiver, type ReceiverAnswer, startReceiver } from './receiver.ts';
import { waitFor } from './wait-for.ts';

/** A real node that serves the portal, a receiver that can be told what to answer, and people who can sign in. */
export interface PortalWorld {
  readonly node: NodeProcess;
  readonly api: ApiClient;
  readonly receiver: Receiver;
  /** Bodies that the receiver took. */
  readonly received: ReceivedRequest[];
  /** Another receiver, which is there as long as the world: a destination that goes away would change what a page shows. */
  startReceiver(answer: (request: ReceivedRequest) => ReceiverAnswer): Promise<Receiver>;
  /** What the receiver answers from now on, or how it decides. */
  answerWith(answer: ReceiverAnswer | ((request: ReceivedRequest) => ReceiverAnswer)): void;
  addUser(organisationId: number, username: string, role?: 'administrator' | 'observer'): Promise<void>;
  sendEvents(events: readonly object[]): Promise<void>;
  close(): Promise<void>;
}

export const PASSWORD = 'correct horse battery';

/** @param environment more settings of the node */
export async function startPortalWorld(
  environment: Readonly<Record<string, string>> = {},
): Promise<PortalWorld> {
  const dataDirectory = temporaryDirectory();
  const received: ReceivedRequest[] = [];
  let answer = (_: ReceivedRequest): ReceiverAnswer => ({ status: 200 });
  const receivers: Receiver[] = [];
  const another = async (given: (request: ReceivedRequest) => ReceiverAnswer) => {
    const started = await startReceiver(given);
    receivers.push(started);
    return started;
  };
  const receiver = await another((request) => {
    const given = answer(request);
    if (given.status < 300 && request.body.length > 2) received.push(request);
    return given;
  });
  // A stream whose destination fails goes to Error within seconds, so that it can be seen.
  const node = await startNode({
    dataDirectory,
    environment: { SIMSTREAM_RETRY_WINDOW: '1s', ...environment },
  });
  const api = createApiClient(node.url);
  const operator = async (path: string, body: unknown, expected: number) => {
    const { status, text } = await api.call('POST', path, OPERATOR_TOKEN, body);
    if (status !== expected) throw new Error(`${path}: ${status} ${text}`);
  };
  return {
    node,
    api,
    receiver,
    received,
    startReceiver: another,
    answerWith: (next) => {
      answer = typeof next === 'function' ? next : () => next;
    },
    addUser: (organisationId, username, role = 'administrator') =>
      operator(
        `/operator/v1/organisations/${organisationId}/users`,
        { username, password: PASSWORD, name: username, role },
        201,
      ),
    sendEvents: (events) => operator('/operator/v1/records/events', events, 202),
    close: async () => {
      await node.stop();
      for (const each of receivers) await each.close();
      removeDirectory(dataDirectory);
    },
  };
}

let lastId = 10_000;

/** An event as a fleet would send it. */
export function event(organisation: number, type: number, fields: object = {}): object {
  return {
    id: ++lastId,
    timestamp: new Date().toISOString(),
    alert: false,
    description: `Event ${lastId}`,
    event_type: { id: type, description: `Type ${type}` },
    event_source: { id: 0, description: 'Network' },
    event_severity: { id: 0, description: 'INFO' },
    organisation: { id: organisation, name: `Organisation ${organisation}` },
    endpoint: null,
    sim: null,
    imsi: null,
    user: null,
    detail: null,
    ...fields,
  };
}

/** Ids of streams that are shown. */
export interface Populated {
  readonly running: string;
  readonly failed: string;
  /** It has a replay. */
  readonly paused: string;
  /** `QUARANTINED` of its records are in quarantine. */
  readonly quarantined: string;
}
const READINGS = 240;
/** A stream gives up where a hundred in a row are refused: one in so many is taken. */
const TAKEN = 40;
/** More than one page of the portal. */
export const QUARANTINED = READINGS - READINGS / TAKEN;

/**
 * An organisation with a stream that runs and has delivered, one whose destination fails, one that is paused, and one
 * whose destination refuses most records for good. The receivers stay: a stream in Error tries again after a minute.
 */
export async function populate(world: PortalWorld, organisationId: number): Promise<Populated> {
  const token = await world.api.authenticate(organisationId);
  const failing = await world.startReceiver(() => ({ status: 503, body: 'over capacity' }));
  const refusing = await world.startReceiver(({ body }) =>
    body.includes('"alert":true') ? { status: 422, body: 'no such field: sim.iccid' } : { status: 200 },
  );
  const create = (name: string, url: string, more: object = {}) =>
    world.api.createStream(token, {
      name,
      data_stream_type: { id: 2 },
      destination: {
        connection_type: 'RestAPI',
        credentials: { url, headers: ['Authorization:Bearer a-secret'] },
        format: 'Json',
      },
      ...more,
    });
  const paused = await create('Archive of alerts', `${world.receiver.url}/archive`, { status: { id: 2 } });
  const failed = await create('Field service', `${failing.url}/tickets`);
  const quarantined = await create('Meter readings', `${refusing.url}/readings`, {
    filters: [{ field: 'event_type_id', value: [9] }],
  });
  const running = await create('Operations dashboard', `${world.receiver.url}/dashboard`, {
    filters: [{ field: 'event_type_id', value: [3, 5] }],
  });
  await world.sendEvents([1, 2, 3, 3, 5, 5, 5].map((type) => event(organisationId, type)));
  const readings = Array.from({ length: READINGS }, (_, index) =>
    event(organisationId, 9, { alert: index % TAKEN !== 0 }),
  );
  await world.sendEvents(readings);
  // The rate limit of the API leaves room for a few questions a second.
  const ask = async (id: string) => {
    await sleep(200);
    return world.api.stream(token, id);
  };
  await waitFor('an error', async () => (await ask(failed)).status.id === 3 || undefined);
  await waitFor('deliveries', async () => (await ask(running)).progress.delivered === 5 || undefined);
  await waitFor(
    'a quarantine',
    async () => (await ask(quarantined)).progress.quarantined === QUARANTINED || undefined,
    // One request for each, on a machine that may be busy.
    180_000,
  );
  const replay = await world.api.call('POST', `/api/v2/data_stream/${paused}/replay`, token, {
    from: 'earliest',
    max_records_per_second: 1,
  });
  if (replay.status !== 201) throw new Error(`replay: ${replay.status} ${replay.text}`);
  return { running, failed, quarantined, paused };
}
