import { OPERATOR_TOKEN } from './node-process.ts';

/** The calls that system tests and benches make; see docs for their shapes. Anything but the expected status throws. */
export interface ApiClient {
  readonly url: string;
  createOrganisation(id: number, name: string, parentId?: number): Promise<void>;
  /** A bearer token of the customer API for an organisation. */
  authenticate(organisationId: number): Promise<string>;
  /** Returns the new stream's id. */
  createStream(token: string, body: unknown): Promise<string>;
  stream(token: string, id: string): Promise<StreamView>;
  /** Any other call. */
  call(
    method: string,
    path: string,
    token: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** The part of a data stream that tests look at. */
export interface StreamView {
  readonly id: string;
  readonly status: { readonly id: number; readonly description: string; readonly message?: string };
  readonly last_error: { readonly code: string; readonly message: string } | null;
  readonly progress: {
    readonly delivered: number;
    readonly filtered: number;
    readonly quarantined: number;
    readonly expired: number;
    readonly pending: number;
  };
}

/** No call takes that long, whatever is away or broken. */
const ANSWER_WITHIN_MS = 45_000;

export function createApiClient(url: string, operatorToken = OPERATOR_TOKEN): ApiClient {
  const call: ApiClient['call'] = async (method, path, token, body, headers = {}) => {
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
    const response = await fetch(url + path, {
      method,
      signal,
      headers: {
        ...headers,
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }).catch((error: unknown) => {
      throw signal.aborted
        ? new Error(`${method} ${url}${path}: no answer in ${ANSWER_WITHIN_MS} ms`)
        : error;
    });
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  const expect = async (status: number, method: string, path: string, token: string, body?: unknown) => {
    const answer = await call(method, path, token, body);
    if (answer.status !== status) {
      throw new Error(`${method} ${path}: ${answer.status} in place of ${status}: ${answer.text}`);
    }
    return answer;
  };

  return {
    url,
    call,
    createOrganisation: async (id, name, parentId) => {
      const body = { id, name, ...(parentId === undefined ? {} : { parent_id: parentId }) };
      await expect(201, 'POST', '/operator/v1/organisations', operatorToken, body);
    },
    authenticate: async (organisationId) => {
      const path = `/operator/v1/organisations/${organisationId}/application_tokens`;
      const made = await expect(201, 'POST', path, operatorToken, {});
      const { application_token } = JSON.parse(made.text) as { application_token: string };
      const answer = await expect(200, 'POST', '/api/v1/authenticate', '', { application_token });
      return (JSON.parse(answer.text) as { auth_token: string }).auth_token;
    },
    createStream: async (token, body) => {
      const answer = await expect(201, 'POST', '/api/v2/data_stream', token, body);
      const id = answer.headers.get('location')?.split('/').at(-1);
      if (!id) throw new Error('a data stream was created without a Location');
      return id;
    },
    stream: async (token, id) => {
      const answer = await expect(200, 'GET', `/api/v2/data_stream/${id}`, token);
      return JSON.parse(answer.text) as StreamView;
    },
  };
}

/** How often to ask for a stream while waiting, ms: an organisation may make 10 data stream calls a second. */
export const ASK_EVERY = 120;

/** The body that creates a stream of usage records to a webhook. */
export function usageWebhook(name: string, url: string, size = 3_000): unknown {
  return {
    name,
    data_stream_type: { id: 1 },
    destination: { connection_type: 'RestAPI', credentials: { url, size }, format: 'Json' },
  };
}
