import type { Block } from '../../records/block.ts';
import { fieldText } from '../../records/fields.ts';
import { passingRecord } from '../../records/leased-block.ts';
import { endpointIdOf, organisationOf } from '../../records/record-index.ts';
import { VERSION } from '../../version.ts';
import { type ByteText, bytesOf, toByteText } from '../byte-text.ts';
import { CLOUD_EVENT_TYPE, cloudEvent } from '../cloud-event.ts';
import {
  type BatchDestination,
  type Cause,
  type DestinationEnvironment,
  type Notes,
  TEST_MARK,
  type Verdict,
} from '../contract.ts';
import { exchange, type HttpAnswer, USUAL_LIMITS } from '../http/http-exchange.ts';
import { type Entry, type Failure, type RequestLimits, sendKeyed } from '../keyed-requests.ts';
import { verdictOf } from '../verify.ts';
import { googleAccount, type SignedIn } from './pub-sub-credentials.ts';
import { type FaultContext, pubSubFailure, readFault } from './pub-sub-fault.ts';
import { missingPermission } from './pub-sub-reasons.ts';
import { BOUND_FOR_MS, isBound, isGranted, mayNotRead, notBound } from './topic-binding.ts';

interface Topic {
  readonly project: string;
  readonly topic: string;
  /** Whether a message has its endpoint's id as ordering key. */
  readonly ordered: boolean;
  /** Whether its data is a CloudEvent. */
  readonly events: boolean;
}

/** Pub/Sub accepts 1,000 messages and 10 MB per request. */
const LIMITS: RequestLimits = {
  records: 1_000,
  bytes: 10_000_000,
  around: '{"messages":[]}'.length,
  // A key may take 1 MB a second; what is to be filled is the time that answers take. Two batches are in flight at a time.
  lanes: 16,
};
/** The answer to 1,000 messages is about 25 KB. */
const EXCHANGE = { ...USUAL_LIMITS, textBytes: 2 ** 20 };

type Answered =
  | { readonly type: 'answer'; readonly answer: HttpAnswer; readonly secrets: readonly string[] }
  | { readonly type: 'failed'; readonly outcome: Failure };
/** @param body undefined: the topic itself is read */
type Call = (
  method: string,
  body: ByteText | undefined,
  signal: AbortSignal,
  notes?: Notes,
) => Promise<Answered>;

/**
 * Opens a topic. All messages of a request must have the same ordering key, so with keys there is a request for each
 * endpoint of a batch.
 */
export function openTopic(topic: Topic, environment: DestinationEnvironment): BatchDestination {
  const name = `projects/${topic.project}/topics/${topic.topic}`;
  const { base, emulated } = baseOf(environment.variables);
  const account = emulated ? undefined : googleAccount(environment);
  const path = `${base}/v1/projects/${topic.project}/topics/${encodeURIComponent(topic.topic)}`;
  const at = new URL(base).host;

  const once: Call = async (method, body, signal, notes) => {
    const signed = account ? await account.signIn(signal) : NOBODY;
    if (signed.type === 'failed') return signed;
    const headers = [...signed.headers, ...HEADERS];
    const noting = notes && { notes, secrets: signed.secrets };
    const call =
      body === undefined
        ? ({ method: 'GET', url: new URL(path), headers } as const)
        : ({
            method: 'POST',
            url: new URL(`${path}:${method}`),
            headers,
            body: bytesOf(body),
            noting,
          } as const);
    const result = await exchange(call, at, environment, signal, EXCHANGE);
    if (result.type === 'none') return { type: 'failed', outcome: result.outcome };
    return { type: 'answer', answer: result, secrets: signed.secrets };
  };
  const call: Call = async (method, body, signal, notes) => {
    const result = await once(method, body, signal, notes);
    if (result.type === 'failed' || result.answer.status !== 401 || !account) return result;
    account.forget();
    return once(method, body, signal, notes);
  };

  const contextOf = (secrets: readonly string[]): FaultContext => ({
    topic: name,
    project: topic.project,
    at,
    now: environment.clock.now(),
    secrets,
  });
  const failureOf = async ({ answer, secrets }: Answered & { type: 'answer' }, signal: AbortSignal) => {
    const context = contextOf(secrets);
    const fault = readFault(answer, context);
    const email = fault.status === 'PERMISSION_DENIED' ? await account?.email(signal) : undefined;
    return pubSubFailure(answer, fault, { ...context, email });
  };
  const organisationId = environment.organisationId;
  // An emulator knows no identities: every client that reaches it may publish.
  const free = emulated || isGranted({ topic: name, project: topic.project }, environment.granted);
  /** Monotonic: a clock that is set back must not keep the proof for longer. */
  let boundUntil = free ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  /** Why the topic is not the organisation's; undefined: it is. */
  const notOurs = async (signal: AbortSignal): Promise<Failure | undefined> => {
    const { clock } = environment;
    if (clock.monotonic() < boundUntil) return undefined;
    const result = await call('get', undefined, signal);
    if (result.type === 'failed') return result.outcome;
    if (result.answer.status !== 200) {
      const failure = await failureOf(result, signal);
      if (failure.cause.code !== 'PERMISSION_DENIED' || failure.type !== 'refused') return failure;
      const message = mayNotRead(name, await account?.email(signal));
      return { ...failure, cause: { ...failure.cause, message } };
    }
    if (!isBound(valueIn(result.answer.text, 'labels'), organisationId)) {
      return { type: 'refused', cause: notBound(name, organisationId) };
    }
    boundUntil = clock.monotonic() + BOUND_FOR_MS;
    return undefined;
  };
  const publish = async (
    entries: readonly Entry[],
    signal: AbortSignal,
    notes?: Notes,
  ): Promise<Failure | undefined> => {
    const body = `{"messages":[${entries.map(({ text }) => text).join(',')}]}`;
    const result = await call('publish', body, signal, notes);
    if (result.type === 'failed') return result.outcome;
    if (result.answer.status === 200 && idsIn(result.answer).length === entries.length) return undefined;
    return failureOf(result, signal);
  };

  return {
    takes: 'batches',
    verify: async (signal) => {
      const asked = await call('testIamPermissions', `{"permissions":["${PUBLISH}"]}`, signal);
      if (asked.type === 'failed') return { type: 'failed', cause: asked.outcome.cause };
      if (grants(asked.answer)) return verdictOf(await notOurs(signal));
      const refused = await publish([], signal);
      return publishVerdict(asked.answer, refused, async () =>
        missingPermission(name, await account?.email(signal)),
      );
    },
    send: async (batch, signal) =>
      (await notOurs(signal)) ??
      sendKeyed(
        batch,
        (block, at, index) => entryOf(block, at, index, topic, batch.test),
        LIMITS,
        (entries) => publish(entries, signal, batch.notes),
      ),
    close: () => Promise.resolve(),
  };
}

const NOBODY: SignedIn = { type: 'headers', headers: [], secrets: [] };
const HEADERS = ['content-type', 'application/json', 'user-agent', `simstream/${VERSION}`];

/** Google's own variables: an emulator, without sign-in; or another endpoint of the service, such as that of a region. */
function baseOf(variables: DestinationEnvironment['variables']): { base: string; emulated: boolean } {
  const emulator = variables.PUBSUB_EMULATOR_HOST;
  const override = variables.CLOUDSDK_API_ENDPOINT_OVERRIDES_PUBSUB;
  const text = emulator
    ? `http://${emulator.replace(/^http:\/\//, '')}`
    : override || 'https://pubsub.googleapis.com';
  if (!URL.canParse(text)) {
    throw new Error('PUBSUB_EMULATOR_HOST or CLOUDSDK_API_ENDPOINT_OVERRIDES_PUBSUB is not an address');
  }
  return { base: text.replace(/\/+$/, ''), emulated: Boolean(emulator) };
}

/** A message: the unchanged record, or its CloudEvent, and the attributes that subscriptions filter by. */
function entryOf(
  block: Block,
  at: number,
  index: number,
  { ordered, events }: Pick<Topic, 'ordered' | 'events'>,
  test?: true,
): Entry | Cause {
  const record = passingRecord(block, at);
  const key = ordered ? endpointIdOf(block, at) : '';
  const attributes = {
    ...(events ? { 'content-type': CLOUD_EVENT_TYPE } : {}),
    record_type: block.kind,
    record_id: fieldText(record, 'id'),
    organisation_id: String(organisationOf(block, at)),
    ...(block.kind === 'event' ? { event_type_id: String(block.eventTypes[at]) } : {}),
    ...(test ? { [TEST_MARK]: 'true' } : {}),
  };
  const sent = events ? cloudEvent(block, at, test) : record;
  const data = Buffer.from(sent.buffer, sent.byteOffset, sent.byteLength).toString('base64');
  const ordering = key ? `,"orderingKey":${toByteText(JSON.stringify(key))}` : '';
  // All attributes are ASCII.
  const text = `{"data":"${data}","attributes":${JSON.stringify(attributes)}${ordering}}`;
  if (text.length <= LIMITS.bytes - LIMITS.around) return { index, key, text };
  return {
    code: 'record_too_large',
    message: `As a message the record has ${text.length} bytes; Pub/Sub accepts at most 10 MB.`,
  };
}

function idsIn({ text }: HttpAnswer): readonly unknown[] {
  return listIn(text, 'messageIds');
}

function listIn(text: string, name: string): readonly unknown[] {
  const list = valueIn(text, name);
  return Array.isArray(list) ? list : [];
}

function valueIn(text: string, name: string): unknown {
  try {
    return (JSON.parse(text) as Record<string, unknown> | null)?.[name];
  } catch {
    return undefined;
  }
}

/** The permission in roles/pubsub.publisher. */
const PUBLISH = 'pubsub.topics.publish';

function grants({ status, text }: HttpAnswer): boolean {
  return status === 200 && listIn(text, 'permissions').includes(PUBLISH);
}

/**
 * Whether one may publish, when Google did not say so: an answer without the permission can also mean that there is no
 * such topic, and emulators know no permissions. Then a request without messages tells: it is refused as such by a topic
 * that exists.
 */
async function publishVerdict(
  asked: HttpAnswer,
  refused: Failure | undefined,
  missing: () => Promise<string>,
): Promise<Verdict> {
  const empty = !refused || refused.type === 'rejected';
  if (empty && asked.status === 200) {
    return { type: 'failed', cause: { code: 'PERMISSION_DENIED', message: await missing() } };
  }
  return empty ? { type: 'reachable' } : verdictOf(refused);
}
