import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeJwt, jwtVerify } from 'jose';
import { type Answer, type Misbehaviour, type Owner, startServer } from './aws-front.ts';
import type { SignedRequest } from './aws-signature.ts';
import { temporaryDirectory } from './owned.ts';

/** A message as a topic keeps it. */
interface StoredMessage {
  readonly data: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly orderingKey: string;
}

/** A service account with a key file, as Google gives it to its owner. */
interface ServiceAccount {
  readonly email: string;
  readonly keyFile: string;
  readonly publicKey: KeyObject;
  /** The private key as the file has it: what must never be shown. */
  readonly privateKey: string;
}

/** A new key of an account, in a file of its own or in the place of an older key's. */
export function newServiceAccount(
  email: string,
  keyFile = join(temporaryDirectory(), 'key.json'),
): ServiceAccount {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const key = {
    type: 'service_account',
    project_id: 'sim-operator',
    private_key_id: 'k1',
    private_key: pem,
    client_email: email,
    client_id: '1',
    token_uri: 'https://oauth2.googleapis.com/token',
  };
  writeFileSync(keyFile, JSON.stringify(key), { mode: 0o600 });
  return { email, keyFile, publicKey, privateKey: pem };
}

/** Pub/Sub's REST interface as its reference describes it: who may publish, the limits, and the form of its errors. */
export class TestPubSub {
  url = '';
  readonly topics = new Map<string, StoredMessage[]>();
  readonly requests: SignedRequest[] = [];
  /** What the next requests meet; those about permissions do not count. */
  readonly next: Misbehaviour[] = [];
  /** What a request to publish meets for which `next` plans nothing; undefined: its answer. */
  meets: (request: SignedRequest) => Misbehaviour | undefined = () => undefined;
  /** Who may sign in; with another key of the same account, the key before it is no longer good. */
  account: ServiceAccount;
  /** Labels of topics; of one that is not in it, those for organisation 70412. */
  readonly labels = new Map<string, Readonly<Record<string, string>>>();
  /** E-mails that have roles/pubsub.viewer on all topics. */
  readonly viewers: Set<string>;
  /** How often a topic was read. */
  read = 0;
  /** How many requests bore a signature that is not good. */
  notSignedIn = 0;
  /** E-mails that have roles/pubsub.publisher on all topics. */
  readonly publishers: Set<string>;
  /** ms since the epoch: what tokens are judged by. */
  now = () => Date.now();
  throttles: (request: SignedRequest) => boolean = () => false;
  #waiting: (() => void)[] = [];

  constructor(account: ServiceAccount) {
    this.account = account;
    this.publishers = new Set([account.email]);
    this.viewers = new Set([account.email]);
  }

  static async start(owner: Owner, account: ServiceAccount, topics: readonly string[]): Promise<TestPubSub> {
    const service = new TestPubSub(account);
    for (const topic of topics) service.topics.set(topic, []);
    service.url = await startServer(owner, (request) => service.#take(request));
    return service;
  }

  messages(topic: string): readonly StoredMessage[] {
    return this.topics.get(topic) ?? [];
  }

  reached(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async #take(request: SignedRequest): Promise<Misbehaviour> {
    if (request.method === 'GET') return this.#describe(request);
    this.requests.push(request);
    const woken = this.#waiting;
    this.#waiting = [];
    for (const wake of woken) wake();
    if (request.path.endsWith(':testIamPermissions')) return this.#answer(request);
    const planned = this.next.shift() ?? this.meets(request);
    if (planned === 'drop_after' || planned === 'hang_after') await this.#answer(request);
    return planned ?? (await this.#answer(request));
  }

  async #describe(request: SignedRequest): Promise<Answer> {
    this.read++;
    const email = await this.#signer(request);
    if (!email) {
      this.notSignedIn++;
      return googleError(401, 'UNAUTHENTICATED', 'Request had invalid authentication credentials.');
    }
    const name = decodeURIComponent(request.path).replace(/^\/v1\//, '');
    if (!this.viewers.has(email)) return googleError(403, 'PERMISSION_DENIED', 'User not authorized.');
    if (!this.topics.has(name)) return googleError(404, 'NOT_FOUND', 'Resource not found.');
    return json(200, { name, labels: this.labels.get(name) ?? { simstream_organisation: 'org-70412' } });
  }

  async #answer(request: SignedRequest): Promise<Answer> {
    const match = /^\/v1\/(projects\/[^/]+\/topics\/[^/:]+):(publish|testIamPermissions)$/.exec(
      decodeURIComponent(request.path),
    );
    if (request.method !== 'POST' || !match) return googleError(404, 'NOT_FOUND', 'Not found');
    const [, topic = '', method] = match;
    const email = await this.#signer(request);
    if (!email) {
      this.notSignedIn++;
      const message = 'Request had invalid authentication credentials.';
      return googleError(401, 'UNAUTHENTICATED', message);
    }
    const permitted = this.publishers.has(email);
    if (method === 'testIamPermissions') {
      const { permissions } = JSON.parse(request.body.toString()) as { permissions: string[] };
      // What does not exist gives no permissions, and says no more.
      return json(200, permitted && this.topics.has(topic) ? { permissions } : {});
    }
    if (!this.topics.has(topic)) {
      return googleError(404, 'NOT_FOUND', `Resource not found (resource=${topic.split('/').pop()}).`);
    }
    if (!permitted) {
      return googleError(403, 'PERMISSION_DENIED', 'User not authorized to perform this action.');
    }
    if (this.throttles(request)) return googleError(429, 'RESOURCE_EXHAUSTED', 'Quota exceeded.');
    return this.#publish(topic, request.body);
  }

  #publish(topic: string, body: Buffer): Answer {
    const invalid = (message: string) => googleError(400, 'INVALID_ARGUMENT', message);
    if (body.length > 10_000_000) return invalid('Request payload size exceeds the limit: 10000000 bytes.');
    let messages: Partial<StoredMessage>[];
    try {
      ({ messages = [] } = JSON.parse(body.toString()) as { messages?: Partial<StoredMessage>[] });
    } catch {
      return invalid('Invalid JSON payload received.');
    }
    if (messages.length === 0) return invalid('The request contains no messages.');
    if (messages.length > 1000) return invalid('Too many messages.');
    const stored = messages.map(({ data = '', attributes = {}, orderingKey = '' }) => {
      return { data: Buffer.from(data, 'base64').toString(), attributes, orderingKey };
    });
    for (const [index, { data, attributes, orderingKey }] of stored.entries()) {
      const pairs = Object.entries(attributes);
      if (data === '' && pairs.length === 0) return invalid('Some messages are empty.');
      if (Buffer.from(data).toString('base64') !== messages[index]?.data)
        return invalid('data is not base64.');
      if (pairs.length > 100 || pairs.some(([name, value]) => name.length > 256 || value.length > 1024)) {
        return invalid('The attributes of a message are too many or too long.');
      }
      if (orderingKey !== stored[0]?.orderingKey) {
        return invalid('All messages of a request must have the same ordering key.');
      }
    }
    const kept = this.topics.get(topic) ?? [];
    kept.push(...stored);
    return json(200, { messageIds: stored.map((_, index) => String(kept.length - stored.length + index)) });
  }

  /** The e-mail of who signed a request by itself, if the signature is good and for this service. */
  async #signer({ headers }: SignedRequest): Promise<string | undefined> {
    const token = String(headers.authorization).replace(/^Bearer /, '');
    try {
      const { iss } = decodeJwt(token);
      await jwtVerify(token, this.account.publicKey, {
        audience: 'https://pubsub.googleapis.com/',
        currentDate: new Date(this.now()),
      });
      return iss === this.account.email ? iss : undefined;
    } catch {
      return undefined;
    }
  }
}

export function googleError(
  http: number,
  status: string,
  message: string,
  details: readonly object[] = [],
): Answer {
  return json(http, { error: { code: http, message, status, ...(details.length > 0 ? { details } : {}) } });
}

export function json(status: number, body: object): Answer {
  return { status, headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(body)) };
}
