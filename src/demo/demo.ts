import { createHash } from 'node:crypto';
import { callNode, type HttpAnswer, messageOf } from '../cli/http-client.ts';
import { type Acceptance, feedFleet } from '../ingest/simulator/feed.ts';
import { createFleetInTurns } from '../ingest/simulator/fleet.ts';
import type { Clock, Random } from '../lib/clock.ts';
import { KINDS, type RecordKind } from '../records/kinds.ts';
import { demoBanner } from './banner.ts';
import { type DemoState, loadDemoState, saveDemoState } from './demo-state.ts';

export interface DemoOptions {
  /** The node, without a slash at the end. */
  readonly url: string;
  /** Of its operator API; often the same. */
  readonly operatorUrl: string;
  readonly operatorToken: string;
  readonly stateFile: string;
  /** SIMs of the fleet. */
  readonly devices: number;
  readonly version: string;
  readonly clock: Clock;
  readonly random: Random;
  print(text: string): void;
  /** Records of the fleet were refused: a bug of the simulator, or somebody changed the installation. */
  refused(message: string): void;
}

const DEMO_ORGANISATION = { id: 1001, name: 'Demo' } as const;
/** A customer of the customer: its records show what `relation_resolution` is for. */
const DEMO_CHILD = { id: 1002, name: 'Demo Cold Chain' } as const;
const DEMO_USERNAME = 'demo';
const FIRST_INBOX = 'first';

/** A visitor sees sessions in progress, and usage of the last two days that arrives late. */
const WARM_UP = 48 * 3_600_000;

/**
 * The demo: a client of the node that it runs beside, over the public API alone. Creates what is missing, prints the
 * addresses, and lets the fleet live until `signal` aborts. On the same data directory it finds everything unchanged.
 * @throws when the setting up fails, with the cause in plain words
 */
export async function runDemo(options: DemoOptions, signal: AbortSignal): Promise<void> {
  const { clock, random, devices } = options;
  try {
    const state = await setUp(options, signal);
    options.print(
      demoBanner({ ...options, username: DEMO_USERNAME, password: state.password, inbox: FIRST_INBOX }),
    );
  } catch (error) {
    if (signal.aborted) return;
    throw error;
  }
  const fleet = await createFleetInTurns({
    devices,
    organisations: [DEMO_ORGANISATION, DEMO_CHILD],
    random,
    startAt: clock.now(),
    warmUp: WARM_UP,
  });
  const accept = (kind: RecordKind, records: readonly string[], key: string) =>
    handIn(options, { kind, records, key }, signal);
  await feedFleet({ fleet, clock, accept, refused: options.refused }, signal);
}

type Call = (
  method: 'GET' | 'POST' | 'PATCH',
  path: string,
  token: string | undefined,
  json?: unknown,
) => Promise<HttpAnswer>;

async function setUp(options: DemoOptions, signal: AbortSignal): Promise<DemoState> {
  const { url, operatorUrl, operatorToken, stateFile } = options;
  const call: Call = (method, path, token, json) =>
    callNode({
      method,
      url: `${path.startsWith('/operator/') ? operatorUrl : url}${path}`,
      signal,
      ...(token === undefined ? {} : { token }),
      ...(json === undefined ? {} : { json }),
    });
  const state = loadDemoState(stateFile) ?? { password: newPassword(options.random) };
  // Stored before it is used: a user with an unknown password would block the next start.
  saveDemoState(stateFile, state);

  await ensureOrganisations(call, operatorToken);
  await expectStatus(
    [201, 409],
    call('POST', `/operator/v1/organisations/${DEMO_ORGANISATION.id}/users`, operatorToken, {
      username: DEMO_USERNAME,
      password: state.password,
      name: 'Demo',
      role: 'administrator',
    }),
  );
  const login = await call('POST', '/api/v1/authenticate', undefined, {
    username: DEMO_USERNAME,
    password: sha1(state.password),
  });
  if (login.status !== 200) {
    throw new Error(
      `the user "${DEMO_USERNAME}" exists with a password that the demo does not know (${messageOf(login)}). Choose another --data-dir for the demo.`,
    );
  }
  const { auth_token: token } = login.body as { auth_token: string };
  const target = `${url}/inbox/${FIRST_INBOX}`;
  const stream = await ensureStream(call, token, state, target);
  const complete: DemoState = { ...state, streamId: stream, target };
  saveDemoState(stateFile, complete);
  return complete;
}

async function ensureOrganisations(call: Call, token: string): Promise<void> {
  const path = '/operator/v1/organisations';
  await expectStatus([201, 409], call('POST', path, token, DEMO_ORGANISATION));
  await expectStatus(
    [201, 409],
    call('POST', path, token, { ...DEMO_CHILD, parent_id: DEMO_ORGANISATION.id }),
  );
  const { body } = await expectStatus([200], call('GET', path, token));
  for (const { id, name } of [DEMO_ORGANISATION, DEMO_CHILD]) {
    const found = (body as { id: number; name: string }[]).find((organisation) => organisation.id === id);
    if (found?.name !== name) {
      throw new Error(
        `organisation ${id} is "${found?.name}", and not the demo's "${name}". Choose another --data-dir for the demo.`,
      );
    }
  }
}

/**
 * Creates the first data stream, once: a deleted one is not created again. If the node listens at another address than
 * last time, the stream follows it.
 */
async function ensureStream(call: Call, token: string, state: DemoState, target: string): Promise<string> {
  const destination = { connection_type: 'RestAPI', credentials: { url: target }, format: 'Json' };
  if (state.streamId === undefined) {
    await expectStatus(
      [201],
      call('POST', '/api/v2/data_stream', token, {
        name: 'Usage of the whole fleet',
        data_stream_type: { id: 1 },
        relation_resolution: { id: 3 },
        destination,
      }),
    );
    const { body } = await expectStatus([200], call('GET', '/api/v2/data_stream', token));
    const [newest] = body as { id: string }[];
    if (!newest) throw new Error('the first data stream was created, and is not in the list');
    return newest.id;
  }
  if (state.target === target) return state.streamId;
  const path = `/api/v2/data_stream/${state.streamId}`;
  const found = await expectStatus([200, 404], call('GET', path, token));
  const url = (found.body as { destination?: { credentials?: { url?: string } } }).destination?.credentials
    ?.url;
  if (found.status === 200 && url === state.target) {
    await expectStatus([202], call('PATCH', path, token, { destination }));
  }
  return state.streamId;
}

async function expectStatus(statuses: readonly number[], call: Promise<HttpAnswer>): Promise<HttpAnswer> {
  const answer = await call;
  if (statuses.includes(answer.status)) return answer;
  throw new Error(`the demo could not be set up: ${messageOf(answer)} (${answer.status})`);
}

/** How long the fleet waits before it sends records again that the node could not take. */
const RETRY = 1000;

async function handIn(
  { operatorUrl, operatorToken }: DemoOptions,
  { kind, records, key }: { kind: RecordKind; records: readonly string[]; key: string },
  signal: AbortSignal,
): Promise<Acceptance> {
  let answer: HttpAnswer;
  try {
    answer = await callNode({
      method: 'POST',
      url: `${operatorUrl}/operator/v1/records/${KINDS[kind].name}`,
      token: operatorToken,
      lines: records.join('\n'),
      idempotencyKey: key,
      signal,
    });
  } catch {
    return { type: 'busy', afterMs: RETRY };
  }
  if (answer.status === 202) return { type: 'accepted' };
  if (answer.status === 429 || answer.status >= 500) {
    return { type: 'busy', afterMs: Math.max(RETRY, answer.retryAfterMs) };
  }
  return { type: 'refused', message: messageOf(answer) };
}

/** No letters and digits that look alike, and three groups that can be typed: about 59 bits. */
const PASSWORD_CHARACTERS = 'abcdefghjkmnpqrstuvwxyz23456789';

function newPassword(random: Random): string {
  const characters: string[] = [];
  while (characters.length < 12) {
    for (const byte of random.bytes(16)) {
      // Only whole multiples of the alphabet, so that no character is more likely than another.
      if (byte < 248 && characters.length < 12) characters.push(PASSWORD_CHARACTERS[byte % 31] as string);
    }
  }
  return characters.join('').replace(/(.{4})(.{4})/, '$1-$2-');
}

export const sha1 = (text: string) => createHash('sha1').update(text).digest('hex');
