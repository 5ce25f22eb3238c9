import { redactText } from '../../lib/redact.ts';
import { externalIdOf } from '../external-id.ts';
import { cancelled } from '../network-fault.ts';
import { assumeFailure, isAboutBaseKeys } from './assume-failure.ts';
import { type Failure, xmlText } from './fault.ts';
import { ownAccountFault } from './own-account.ts';
import type { AwsKeys } from './sign.ts';
import { askSts, type RoleSessionParts, type Sts, stsOf } from './sts.ts';

type KeysResult =
  | { readonly type: 'keys'; readonly keys: AwsKeys }
  | { readonly type: 'failed'; readonly outcome: Failure };

/** The limit of AWS when a role assumes a role, as an instance or a container does; also every role's default. */
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
 *  R4  A role of simstream's own account is not assumed unless the operator granted it to the organisation: such a role may
 *      let in all of the account, so that every customer could use it.
 */
export class RoleSession {
  readonly #parts: RoleSessionParts;
  readonly #sts: Sts;
  readonly #closed = new AbortController();
  #keys: AwsKeys | undefined;
  #renewing: Promise<KeysResult> | undefined;
  /** Monotonic. */
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
    if (usable && (left > RENEW_BEFORE_MS || clock.monotonic() < this.#failedAt + RENEWAL_PAUSE_MS)) {
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
    else this.#failedAt = this.#parts.environment.clock.monotonic();
    return result;
  }
}

async function assumeRole(parts: RoleSessionParts, sts: Sts, signal: AbortSignal): Promise<KeysResult> {
  const { environment, role } = parts;
  let base: AwsKeys;
  try {
    base = await parts.baseKeys.get();
  } catch (error) {
    return failed('platform', 'no_aws_credentials', NO_BASE_KEYS, wordsOf(error));
  }
  const own = await ownAccountFault(parts, sts, base, signal);
  if (own) return { type: 'failed', outcome: own };
  const answer = await askSts(parts, sts, base, signal, {
    Action: 'AssumeRole',
    RoleArn: role.arn,
    RoleSessionName: sessionName(environment.streamId),
    ExternalId: externalIdOf(environment.organisationId),
    DurationSeconds: String(SESSION_SECONDS),
  });
  if (answer.type === 'failed') return answer;
  if (answer.type === 'fault') {
    if (isAboutBaseKeys(answer.fault)) parts.baseKeys.discard();
    return { type: 'failed', outcome: assumeFailure(parts, sts, answer.fault) };
  }
  return readKeys(answer.text, environment.clock.now(), sts.url);
}

/** It names the stream in the customer's own logs at AWS. */
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

const NO_BASE_KEYS =
  'simstream has no AWS credentials of its own, which it needs to assume your role. Its operator must give it some (environment, shared configuration file, or the role of the container or instance).';

/** Of a fault of the credential chain: they name files of the node. */
function wordsOf(error: unknown): string {
  return error instanceof Error ? redactText(error.message).replace(/\s+/g, ' ').slice(0, 200) : '';
}

function failed(type: 'retry' | 'platform', code: string, message: string, detail = ''): KeysResult {
  const cause = { code, message, ...(detail === '' ? {} : { detail }) };
  return { type: 'failed', outcome: { type, cause } };
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
