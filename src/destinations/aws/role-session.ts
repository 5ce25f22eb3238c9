import { redactText } from '../../lib/redact.ts';
import type { DestinationEnvironment } from '../contract.ts';
import { cancelled } from '../network-fault.ts';
import type { BaseKeys } from './base-keys.ts';
import type { AwsCall, AwsRequest } from './call.ts';
import { endpointOf } from './endpoints.ts';
import {
  type AwsFault,
  CLOCK_IS_OFF,
  causeOf,
  type Failure,
  isAboutKeys,
  isAboutTime,
  isThrottling,
  throttled,
  xmlText,
} from './fault.ts';
import { externalIdOf, type Role } from './names.ts';
import { type AwsKeys, sha256 } from './sign.ts';

type KeysResult =
  | { readonly type: 'keys'; readonly keys: AwsKeys }
  | { readonly type: 'failed'; readonly outcome: Failure };

interface RoleSessionParts {
  readonly role: Role;
  /** The region of the stream's resource. */
  readonly region: string;
  readonly environment: Pick<DestinationEnvironment, 'organisationId' | 'streamId' | 'clock' | 'variables'>;
  readonly baseKeys: BaseKeys;
  readonly call: AwsCall;
}

/** What AWS allows when a role assumes a role, which an instance or a container does; also every role's default. */
const SESSION_SECONDS = 3600;
/** Keys are renewed this long before they expire, so that STS may be unreachable for a while. */
const RENEW_BEFORE_MS = 10 * 60_000;
/** Keys this close to their end are not used: the call they sign must arrive before. */
const UNUSABLE_BEFORE_MS = 60_000;
/** While the old keys are valid, a failed renewal is retried after this time at the earliest. */
const RENEWAL_PAUSE_MS = 30_000;

/**
 * The keys of one stream's role, by AssumeRole with the external id of the stream's organisation.
 *
 *  R1  One renewal at a time, for all callers.
 *  R2  A failed renewal has no effect while the old keys are valid.
 *  R3  Keys that a service refused are never used again.
 */
export class RoleSession {
  readonly #parts: RoleSessionParts;
  readonly #sts: Sts;
  readonly #closed = new AbortController();
  #keys: AwsKeys | undefined;
  #renewing: Promise<KeysResult> | undefined;
  #failedAt = Number.NEGATIVE_INFINITY;

  constructor(parts: RoleSessionParts) {
    this.#parts = parts;
    this.#sts = stsOf(parts);
  }

  /** Keys that are valid for at least another minute. */
  async keys(signal: AbortSignal): Promise<KeysResult> {
    const keys = this.#keys;
    const { clock } = this.#parts.environment;
    const left = keys?.expiresAt === undefined ? 0 : keys.expiresAt - clock.now();
    const usable = keys !== undefined && left > UNUSABLE_BEFORE_MS;
    if (usable && (left > RENEW_BEFORE_MS || clock.now() < this.#failedAt + RENEWAL_PAUSE_MS)) {
      return { type: 'keys', keys };
    }
    const renewed = await this.#renew(signal);
    if (renewed.type === 'failed' && usable && this.#keys === keys) return { type: 'keys', keys };
    return renewed;
  }

  /** A service refused these keys. */
  discard(keys: AwsKeys): void {
    if (this.#keys === keys) this.#keys = undefined;
  }

  close(): void {
    this.#closed.abort();
  }

  async #renew(signal: AbortSignal): Promise<KeysResult> {
    // It ends with the session, not with its first caller.
    this.#renewing ??= this.#assume(this.#closed.signal).finally(() => {
      this.#renewing = undefined;
    });
    return untilAborted(this.#renewing, signal, () => ({
      type: 'failed',
      outcome: cancelled(`AWS STS (${this.#sts.url.host})`),
    }));
  }

  async #assume(signal: AbortSignal): Promise<KeysResult> {
    const result = await assumeRole(this.#parts, this.#sts, signal);
    if (result.type === 'keys') this.#keys = result.keys;
    else this.#failedAt = this.#parts.environment.clock.now();
    return result;
  }
}

interface Sts {
  readonly region: string;
  readonly url: URL;
}

/**
 * The STS of the operator's own region where one is set, because the operator's account may not have opened that of the
 * stream's; the tokens of a regional STS are good in every region.
 */
function stsOf({ environment, region }: RoleSessionParts): Sts {
  const { variables } = environment;
  const own = variables.AWS_REGION || variables.AWS_DEFAULT_REGION || region;
  return { region: own, url: endpointOf('sts', own, variables) };
}

async function assumeRole(parts: RoleSessionParts, sts: Sts, signal: AbortSignal): Promise<KeysResult> {
  const { environment, role } = parts;
  let base: AwsKeys;
  try {
    base = await parts.baseKeys.get();
  } catch (error) {
    return failed('platform', 'no_aws_credentials', noBaseKeys(error));
  }
  const form = new URLSearchParams({
    Action: 'AssumeRole',
    Version: '2011-06-15',
    RoleArn: role.arn,
    RoleSessionName: sessionName(environment.streamId),
    ExternalId: externalIdOf(environment.organisationId),
    DurationSeconds: String(SESSION_SECONDS),
  });
  const body = Buffer.from(form.toString());
  const request: AwsRequest = {
    service: 'sts',
    region: sts.region,
    method: 'POST',
    url: sts.url,
    headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
    bodySha256: sha256(body),
    length: body.length,
    body: () => body,
  };
  const answer = await parts.call(request, base, signal);
  if (answer.type === 'failed') return answer;
  if (answer.type === 'fault') {
    if (isAboutBaseKeys(answer.fault)) parts.baseKeys.discard();
    return { type: 'failed', outcome: assumeFailure(parts, sts, answer.fault) };
  }
  return readKeys(answer.text, environment.clock.now(), sts.url);
}

/** In AWS's own logs of the customer it says which stream it was. */
function sessionName(streamId: string): string {
  return `simstream-${streamId.replace(/[^\w+=,.@-]/g, '-')}`.slice(0, 64);
}

function readKeys(xml: string, now: number, url: URL): KeysResult {
  const accessKeyId = xmlText(xml, 'AccessKeyId');
  const secretAccessKey = xmlText(xml, 'SecretAccessKey');
  const sessionToken = xmlText(xml, 'SessionToken');
  const expiresAt = Date.parse(xmlText(xml, 'Expiration') ?? '');
  if (!accessKeyId || !secretAccessKey || !sessionToken) {
    return failed('retry', 'invalid_answer', `AWS STS (${url.host}) answered without credentials.`);
  }
  const keys = { accessKeyId, secretAccessKey, sessionToken };
  return {
    type: 'keys',
    keys: { ...keys, expiresAt: Number.isNaN(expiresAt) ? now + SESSION_SECONDS * 1000 : expiresAt },
  };
}

function assumeFailure({ role, environment }: RoleSessionParts, sts: Sts, fault: AwsFault): Failure {
  const { arn } = role;
  if (isAboutTime(fault)) return { type: 'platform', cause: causeOf(fault, CLOCK_IS_OFF) };
  if (isThrottling(fault)) return throttled(fault, 'AWS STS is throttling requests.');
  if (fault.status >= 500) {
    return { type: 'retry', cause: causeOf(fault, 'AWS STS has a fault; simstream tries again.') };
  }
  if (fault.code === 'AccessDenied' || fault.code === 'AccessDeniedException') {
    return {
      type: 'refused',
      cause: causeOf(fault, trustNeeded(arn, environment.organisationId, fault.words)),
    };
  }
  if (isAboutBaseKeys(fault)) {
    const text = `AWS refused simstream's own credentials, before it looked at ${arn}. The operator of simstream must renew them; or STS is not active in the region ${sts.region}, and AWS_REGION must name another.`;
    return { type: 'platform', cause: causeOf(fault, text) };
  }
  return {
    type: 'refused',
    cause: causeOf(
      fault,
      `AWS does not accept role_arn ${arn}: check that it is the ARN of an existing IAM role.`,
    ),
  };
}

/** Faults of simstream's own credentials or account. Only the operator can fix them. */
const OPERATOR_CODES = new Set([
  'SignatureDoesNotMatch',
  'IncompleteSignature',
  'MissingAuthenticationToken',
  'OptInRequired',
  'RegionDisabledException',
]);

function isAboutBaseKeys(fault: AwsFault): boolean {
  return isAboutKeys(fault) || OPERATOR_CODES.has(fault.code);
}

/** AWS says who knocked: an assumed role of ours shows as a session, where a trust policy names the role itself. */
function trustNeeded(arn: string, organisationId: number, words: string): string {
  const caller = /arn:aws[\w-]*:(?:iam|sts)::\d+:[\w+=,.@/-]+/.exec(words)?.[0];
  const session = caller && /^(arn:aws[\w-]*):sts::(\d+):assumed-role\/([^/]+)\//.exec(caller);
  const principal = session ? `${session[1]}:iam::${session[2]}:role/${session[3]}` : caller;
  const statement = {
    Effect: 'Allow',
    Principal: { AWS: principal && principal !== arn ? principal : "the ARN of simstream's own identity" },
    Action: 'sts:AssumeRole',
    Condition: { StringEquals: { 'sts:ExternalId': externalIdOf(organisationId) } },
  };
  return `The role ${arn} does not exist or does not let simstream in. Its trust policy needs this statement: ${JSON.stringify(statement)}.`;
}

function noBaseKeys(error: unknown): string {
  const reason = error instanceof Error ? redactText(error.message).replace(/\s+/g, ' ').slice(0, 200) : '';
  return `simstream has no AWS credentials of its own, which it needs to assume your role. Its operator must give it some (environment, shared configuration file, or the role of the container or instance). ${reason}`.trim();
}

function failed(type: 'retry' | 'platform', code: string, message: string): KeysResult {
  return { type: 'failed', outcome: { type, cause: { code, message } } };
}

/** The promise, or what `instead` gives as soon as `signal` aborts; the promise goes on. */
async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal, instead: () => T): Promise<T> {
  if (signal.aborted) return instead();
  let onAbort: () => void = () => {};
  const aborted = new Promise<T>((resolve) => {
    onAbort = () => resolve(instead());
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
