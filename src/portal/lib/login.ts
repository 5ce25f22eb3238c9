import { QueryClient } from '@tanstack/react-query';
import { isWorthAnotherTry, type Problem, problemFrom, retryDelayOf } from './problem.ts';

/**
 * A login, from signing in until it ends. Everything that the page knows belongs to one:
 *
 *  L1  A request is sent for the login that is current when it starts. Once that login has ended, its answer is dropped.
 *  L2  Ending a login cancels its requests, forgets all data that was read for it and empties every login store.
 *  L3  Only an answer that refuses the refresh token ends a login. No answer, 429 and 5xx keep it.
 *  L4  However many calls find an expired token at once, it is renewed once.
 *
 *      none ──begin──▶ current ──end──▶ ended        A login that has ended never becomes current again.
 */
interface Login {
  /** Of the bearer of every call; changes with each renewal. */
  readonly token: string;
  /** Aborts when the login ends. */
  readonly ended: AbortSignal;
  /** The data that was read for this login. */
  readonly queries: QueryClient;
  renew(): Promise<Renewal>;
}

export type Renewal =
  | { readonly is: 'renewed'; readonly token: string }
  | { readonly is: 'refused' }
  | { readonly is: 'unreachable'; readonly problem: Problem };

/** The login of a call has ended; its answer is not wanted any more. */
export class LoginEnded extends Error {
  constructor() {
    super('The login that this call belonged to has ended.');
    this.name = 'LoginEnded';
  }
}

let current: { readonly login: Login; end(): void } | undefined;
const listeners = new Set<() => void>();

/** Calls `run` at the end of every login, for as long as the page lives. */
export function whenLoginEnds(run: () => void): void {
  listeners.add(run);
}

export function currentLogin(): Login | undefined {
  return current?.login;
}

/**
 * Begins a login, and ends the one before.
 * @param token the auth token
 * @param renew asks for another auth token
 * @param refused called when the login has run out: its refresh token is refused
 */
export function beginLogin(token: string, renew: () => Promise<Renewal>, refused: () => void): Login {
  endLogin();
  const abort = new AbortController();
  const queries = createQueries();
  let bearer = token;
  let renewal: Promise<Renewal> | undefined;
  const login: Login = {
    get token() {
      return bearer;
    },
    ended: abort.signal,
    queries,
    renew: () => {
      renewal ??= renew().then((outcome) => {
        renewal = undefined;
        if (outcome.is === 'renewed') bearer = outcome.token;
        if (outcome.is === 'refused' && current?.login === login) refused();
        return outcome;
      });
      return renewal;
    },
  };
  const end = () => {
    abort.abort(new LoginEnded());
    void queries.cancelQueries();
    queries.clear();
  };
  current = { login, end };
  return login;
}

/** Ends the current login, if any. */
export function endLogin(): void {
  const ending = current;
  current = undefined;
  ending?.end();
  for (const listener of [...listeners]) listener();
}

/** How often a call that failed for a passing reason is made again before the reader sees the failure. */
const MOST_TRIES = 3;

function createQueries(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        // The call itself finds out whether there is a network: browsers are often wrong about it.
        networkMode: 'always',
        retry: (failed, error) => failed < MOST_TRIES && isWorthAnotherTry(problemFrom(error)),
        retryDelay: (failed, error) => retryDelayOf(problemFrom(error), failed),
      },
    },
  });
}
