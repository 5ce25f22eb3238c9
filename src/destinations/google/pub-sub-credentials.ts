import type { GoogleAuth } from 'google-auth-library';
import { fetch as fetchThrough } from 'undici';
import { redactText } from '../../lib/redact.ts';
import type { DestinationEnvironment } from '../contract.ts';
import type { Failure } from '../keyed-requests.ts';
import { cancelled } from '../network-fault.ts';

export type SignedIn =
  /** Name, value, name, value …: `authorization`, and further headers that Google's library requires. */
  | { readonly type: 'headers'; readonly headers: readonly string[]; readonly secrets: readonly string[] }
  | { readonly type: 'failed'; readonly outcome: Failure };

/** simstream's identity at Google. */
interface GoogleAccount {
  /** The headers of a request. Google's library makes, keeps and renews them. */
  signIn(signal: AbortSignal): Promise<SignedIn>;
  /** The e-mail of the service account, if it is known. */
  email(signal: AbortSignal): Promise<string | undefined>;
  /** Google refused the headers of `signIn`: the next call makes new ones. */
  forget(): void;
}

type AccountEnvironment = Pick<DestinationEnvironment, 'variables' | 'clock' | 'egress'>;

const SCOPE = 'https://www.googleapis.com/auth/pubsub';
/** The audience of a token that simstream itself signs. */
const AUDIENCE = 'https://pubsub.googleapis.com/';
/** The library tries again for longer than a delivery should wait. */
const LONGEST_MS = 30_000;
const AT = 'Google’s sign-in';

/** One for all streams of a process: the credentials are the operator's, and a metadata server is asked once. */
const known = new WeakMap<DestinationEnvironment['variables'], Promise<GoogleAuth>>();

/**
 * simstream's own account, by application default credentials: the file that GOOGLE_APPLICATION_CREDENTIALS names, that of
 * gcloud, or the service account of the machine. A key of a service account signs by itself and needs no call; tokens
 * come from Google's hosts by the address rules of destinations. What a machine's own metadata server and identity
 * provider are asked does not obey them: their addresses come from the operator.
 */
export function googleAccount({ variables, clock, egress }: AccountEnvironment): GoogleAccount {
  const auth = (): Promise<GoogleAuth> => {
    const loaded = known.get(variables) ?? load(egress.own);
    known.set(variables, loaded);
    return loaded;
  };
  /** A sign-in that failed is made anew from the file: the operator may have put other credentials there. */
  const signInAnew = async (): Promise<SignedIn> => {
    const used = auth();
    const signed = await signInWith(used);
    if (signed.type === 'failed' && known.get(variables) === used) known.delete(variables);
    return signed;
  };
  return {
    signIn: async (signal) => {
      const signing = signInAnew();
      return within(signing, clock, signal, (outcome) => ({ type: 'failed', outcome }));
    },
    email: async (signal) => {
      const email = (async () => (await (await auth()).getCredentials()).client_email)().catch(
        () => undefined,
      );
      return within(email, clock, signal, () => undefined);
    },
    forget: () => known.delete(variables),
  };
}

async function signInWith(auth: Promise<GoogleAuth>): Promise<SignedIn> {
  try {
    const headers = await (await auth).getRequestHeaders(AUDIENCE);
    return signedIn([...headers]);
  } catch (error) {
    return { type: 'failed', outcome: signInFailure(error) };
  }
}

async function load(egress: DestinationEnvironment['egress']): Promise<GoogleAuth> {
  const { GoogleAuth } = await import('google-auth-library');
  const fetchImplementation = ((input: string | URL | Request, init?: RequestInit) => {
    const url = new URL(input instanceof Request ? input.url : input);
    if (!url.hostname.endsWith('.googleapis.com')) return fetch(input, init);
    return fetchThrough(url, { ...(init as object), dispatcher: egress.agent });
  }) as typeof fetch;
  const auth = new GoogleAuth({
    clientOptions: { transporterOptions: { fetchImplementation } },
    // No request needs it: topics name their own. Without one, the library would ask for the project of federated
    // credentials at another API of Google, and not sign in where that API is off.
    projectId: 'none',
  });
  // Not `scopes`: with those, the library would fetch a token even where it can sign one.
  auth.defaultScopes = [SCOPE];
  return auth;
}

function signedIn(entries: readonly (readonly [string, string])[]): SignedIn {
  const authorization = entries.find(([name]) => name === 'authorization')?.[1];
  if (!authorization) return { type: 'failed', outcome: signInFailure(undefined) };
  const secrets = [authorization, authorization.replace(/^\S+ /, '')];
  return { type: 'headers', headers: entries.flat(), secrets };
}

/** The words for each way in which a sign-in fails; all of them are for the platform operator. */
const FAILURES = {
  none: 'simstream could not sign in to Google. Its operator must give it application default credentials (GOOGLE_APPLICATION_CREDENTIALS, or the service account of the machine).',
  refused:
    'Google refused the sign-in of this simstream node. Its service account or key was disabled, deleted or has expired, or the clock of the node is wrong. The platform operator must enable the account, or put a new key into the file of GOOGLE_APPLICATION_CREDENTIALS; simstream reads it again at the next try.',
  unavailable:
    'Google’s sign-in does not answer this simstream node at the moment; simstream will try again. If this lasts, the platform operator must let the node reach oauth2.googleapis.com and sts.googleapis.com.',
} as const;

/** @param error of Google's library: with `config` if it made a call, and `response` if a server answered */
function signInFailure(error: unknown): Failure {
  const { config: called, response } = Object(error) as { config?: object; response?: { status?: number } };
  const status = response?.status ?? 0;
  const refused = status >= 400 && status < 500 && status !== 408 && status !== 429;
  const reason =
    error instanceof Error
      ? redactText(error.message)
          .replace(/[\s\p{C}]+/gu, ' ')
          .slice(0, 200)
      : '';
  return platform('google_sign_in', FAILURES[refused ? 'refused' : called ? 'unavailable' : 'none'], reason);
}

function platform(code: string, message: string, detail = ''): Failure {
  return { type: 'platform', cause: { code, message, ...(detail === '' ? {} : { detail }) } };
}

/** The promise, or `instead` after a time limit or when `signal` aborts; the promise continues. */
async function within<T>(
  promise: Promise<T>,
  clock: AccountEnvironment['clock'],
  signal: AbortSignal,
  instead: (outcome: Failure) => T,
): Promise<T> {
  if (signal.aborted) return instead(cancelled(AT));
  const given = Promise.withResolvers<T>();
  const onAbort = () => given.resolve(instead(cancelled(AT)));
  signal.addEventListener('abort', onAbort, { once: true });
  const late = `${AT} did not answer within ${LONGEST_MS / 1000} s.`;
  const cancelTimer = clock.after(LONGEST_MS, () => given.resolve(instead(platform('google_sign_in', late))));
  try {
    return await Promise.race([promise, given.promise]);
  } finally {
    cancelTimer();
    signal.removeEventListener('abort', onAbort);
  }
}
