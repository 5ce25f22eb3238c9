import createFetchClient, { type Client } from 'openapi-fetch';
import type { components, paths } from './generated/api.ts';

export { verifyWebhook, type WebhookVerdict } from './verify-webhook.ts';
export type { components, paths };

/** The calls of a node by method and path, typed by its OpenAPI document. */
export type SimstreamClient = Client<paths>;

export interface ClientOptions {
  /** URL of a node, or of the load balancer before the nodes: `https://simstream.example`. */
  readonly url: string;
  /** Of an organisation. The client logs in with it, and again when the login has ended. */
  readonly applicationToken?: string;
  /** In place of an application token: the operator's, for calls of the operator. */
  readonly operatorToken?: string;
  /** The function that makes requests; by default `fetch` of the runtime. */
  readonly fetch?: (request: Request) => Promise<Response>;
  /** Waits before a call is repeated; by default with a timer. */
  readonly sleep?: (milliseconds: number) => Promise<void>;
}

/** Repetitions of one call, and the longest wait before one of them. */
const MOST_REPETITIONS = 3;
const LONGEST_WAIT_MS = 60_000;

/**
 * A client of simstream's API. Calls answer `{data}` or `{error}`, and `response`; they reject only if no answer came.
 *
 * A call that a limit refused (429) is repeated when the node says so, three times at most; a node that cannot keep up (503) only gets
 * calls again that change nothing.
 */
export function createClient(options: ClientOptions): SimstreamClient {
  const { url, applicationToken, operatorToken, fetch = (request) => globalThis.fetch(request) } = options;
  const sleep = options.sleep ?? wait;
  const baseUrl = url.replace(/\/+$/, '');
  let login: Promise<string> | undefined;

  const repeat = async (request: Request): Promise<Response> => {
    for (let repetitions = 0; ; repetitions++) {
      const response = await fetch(request.clone());
      if (!mayRepeat(request, response) || repetitions === MOST_REPETITIONS) return response;
      await response.body?.cancel();
      await sleep(waitOf(response, repetitions));
    }
  };
  const token = async (): Promise<string | undefined> => {
    if (operatorToken !== undefined || applicationToken === undefined) return operatorToken;
    login ??= authenticate(repeat, baseUrl, applicationToken);
    try {
      return await login;
    } catch (error) {
      login = undefined;
      throw error;
    }
  };

  const send = async (request: Request): Promise<Response> => {
    const attempt = async () => {
      const own = request.clone();
      const bearer = await token();
      if (bearer !== undefined) own.headers.set('authorization', `Bearer ${bearer}`);
      return repeat(own);
    };
    const response = await attempt();
    if (response.status !== 401 || applicationToken === undefined) return response;
    login = undefined;
    await response.body?.cancel();
    return attempt();
  };
  return createFetchClient<paths>({ baseUrl, fetch: send });
}

async function authenticate(
  fetch: (request: Request) => Promise<Response>,
  baseUrl: string,
  applicationToken: string,
): Promise<string> {
  const request = new Request(`${baseUrl}/api/v1/authenticate`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ application_token: applicationToken }),
  });
  const response = await fetch(request);
  // What answers may be something else than a node, and no JSON.
  const body = (await response.json().catch(() => ({}))) as { auth_token?: string; message?: string };
  if (body.auth_token === undefined)
    throw new Error(`The login failed with ${response.status}: ${body.message ?? 'no reason was given'}`);
  return body.auth_token;
}

function mayRepeat({ method }: Request, { status }: Response): boolean {
  return status === 429 || (status === 503 && method === 'GET');
}

function waitOf(response: Response, repetitions: number): number {
  const asked = Number(response.headers.get('retry-after') ?? Number.NaN);
  return Math.min(LONGEST_WAIT_MS, Number.isFinite(asked) ? asked * 1000 : 1000 * 2 ** repetitions);
}

function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
