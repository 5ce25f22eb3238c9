import { currentLogin, LoginEnded } from './login.ts';
import type { Pace } from './pace.ts';
import { CallFailed } from './problem.ts';

/** Needs no login: it is how one begins. */
const OPEN = '/api/v1/authenticate';
/** A change that was refused with 429 has had no effect: it is made again, so often and after so many seconds at most. */
const MOST_WAITS = 3;
const LONGEST_WAIT = 5;
/** A read that has no answer by then is given up and shown as such, ms. */
const READ_TIMEOUT = 30_000;
/** A change may include the test of a destination, which takes its time. */
const CHANGE_TIMEOUT = 120_000;

/** A 401 for a wrong password or code says nothing of the token, and the same call would count as another failed login. */
const OF_CREDENTIALS = [1101, 1105];

async function refusesToken(answer: Response): Promise<boolean> {
  const body = (await answer
    .clone()
    .json()
    .catch(() => undefined)) as { error_code?: number } | undefined;
  return !OF_CREDENTIALS.includes(body?.error_code ?? 0);
}

interface SendParts {
  fetch(request: Request): Promise<Response>;
  sleep(milliseconds: number): Promise<void>;
  readonly pace: Pick<Pace, 'refused'>;
}

/**
 * Sends a request for the current login (L1 of login.ts): with its token, which is renewed when it has expired.
 * @returns a function that sends one. It throws LoginEnded when the login ends before the answer comes, CallFailed when an
 *   expired token cannot be renewed just now, TypeError when the node cannot be reached
 */
export function createSend({ fetch, sleep, pace }: SendParts): (request: Request) => Promise<Response> {
  return async (request) => {
    const timeout = AbortSignal.timeout(request.method === 'GET' ? READ_TIMEOUT : CHANGE_TIMEOUT);
    if (new URL(request.url).pathname === OPEN) {
      return fetch(new Request(request, { signal: AbortSignal.any([request.signal, timeout]) }));
    }
    const login = currentLogin();
    // A login that is not complete yet has a token of its own.
    if (!login && request.headers.has('authorization'))
      return fetch(new Request(request, { signal: AbortSignal.any([request.signal, timeout]) }));
    if (!login) throw new LoginEnded();
    const signal = AbortSignal.any([request.signal, login.ended, timeout]);
    const attempt = async () => {
      const copy = new Request(request.clone(), { signal });
      copy.headers.set('authorization', `Bearer ${login.token}`);
      const answer = await fetch(copy);
      if (login.ended.aborted) throw new LoginEnded();
      return answer;
    };
    let answer = await attempt();
    if (answer.status === 401 && (await refusesToken(answer))) {
      const renewal = await login.renew();
      if (login.ended.aborted || renewal.is === 'refused') throw new LoginEnded();
      if (renewal.is === 'unreachable') throw new CallFailed(renewal.problem);
      answer = await attempt();
    }
    for (let waits = 0; answer.status === 429; waits++) {
      pace.refused();
      // A view that is read again and again has its next try anyway.
      if (request.method === 'GET' || waits === MOST_WAITS) break;
      await sleep(Math.min(Number(answer.headers.get('retry-after')) || 1, LONGEST_WAIT) * 1000);
      answer = await attempt();
    }
    return answer;
  };
}
