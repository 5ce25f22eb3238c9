import { type Answer, type Misbehaviour, type Owner, startServer } from './aws-front.ts';
import type { SignedRequest } from './aws-signature.ts';
import type { TestHub, TokenFault } from './event-hubs-hub.ts';

/** The REST side of Event Hubs as its reference describes it, in front of a hub in memory. */
export class TestHubRest {
  readonly hub: TestHub;
  /** `127.0.0.1:<port>` */
  host = '';
  readonly requests: SignedRequest[] = [];
  /** What the next requests meet. */
  readonly next: Misbehaviour[] = [];
  /** What a request meets for which `next` plans nothing; undefined: its answer. */
  meets: (request: SignedRequest) => Misbehaviour | undefined = () => undefined;
  /** As many bytes of a request as the tier takes. */
  largest = 2 ** 20;
  disabled = false;
  /** Whether the namespace takes nothing for now. */
  throttles: (request: SignedRequest) => boolean = () => false;
  #waiting: (() => void)[] = [];

  constructor(hub: TestHub) {
    this.hub = hub;
  }

  static async start(owner: Owner, hub: TestHub): Promise<TestHubRest> {
    const rest = new TestHubRest(hub);
    const url = await startServer(owner, async (request) => rest.#take(request));
    rest.host = new URL(url).host;
    return rest;
  }

  connectionString(policy = this.hub.policies[0], key = policy?.keys[0]): string {
    return `Endpoint=sb://${this.host}/;SharedAccessKeyName=${policy?.name};SharedAccessKey=${key};EntityPath=${this.hub.name};UseDevelopmentEmulator=true`;
  }

  /** Resolves when the next request has come. */
  reached(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #take(request: SignedRequest): Misbehaviour {
    this.requests.push(request);
    const woken = this.#waiting;
    this.#waiting = [];
    for (const wake of woken) wake();
    const planned = this.next.shift() ?? this.meets(request);
    if (planned === 'drop_after' || planned === 'hang_after') this.answer(request);
    return planned ?? this.answer(request);
  }

  /** What it answers to a request; tokens first, then the hub, then what is in the request. */
  answer({ method, path, headers, body }: SignedRequest): Answer {
    const url = new URL(path, `http://${this.host}`);
    const match = /^\/([^/]+)\/messages$/.exec(url.pathname);
    if (method !== 'POST' || !match || url.searchParams.get('api-version') !== '2014-01') {
      return hubError(400, 'BadRequest');
    }
    const fault = this.hub.tokenFault(String(headers.authorization), `sb://${this.host}/${match[1]}`, 'Send');
    if (fault) return hubError(401, TOKEN_FAULTS[fault]);
    if (match[1]?.toLowerCase() !== this.hub.name.toLowerCase()) {
      return hubError(404, `The messaging entity 'sb://${this.host}/${match[1]}' could not be found.`);
    }
    if (this.disabled) return hubError(403, `Messaging entity '${this.hub.name}' is currently disabled.`);
    if (this.throttles({ method, path, headers, body })) return throttled();
    if (body.length > this.largest) {
      const message = `The received message (delivery-id:0, size:${body.length} bytes) exceeds the limit (${this.largest} bytes) currently allowed on the link.`;
      return hubError(413, message);
    }
    if (headers['content-type'] !== 'application/vnd.microsoft.servicebus.json') {
      // Any other type makes the whole body one event.
      this.hub.store([{ body: body.toString(), contentType: headers['content-type'] }], undefined);
      return CREATED;
    }
    const events = eventsIn(body);
    if (!events) return hubError(400, 'The request body is not a valid batch of messages.');
    if (events.length > 0) this.hub.store(events, events[0]?.key);
    return CREATED;
  }
}

const CREATED: Answer = { status: 201, headers: {}, body: Buffer.alloc(0) };
const TOKEN_FAULTS: Record<TokenFault, string> = {
  malformed: 'MalformedToken: The token is malformed.',
  expired: 'ExpiredToken: The token is expired.',
  unknown: 'InvalidSignature: The token has an invalid signature.',
  rights: "Unauthorized access. 'Send' claim(s) are required to perform this operation.",
};

export function hubError(status: number, detail: string, headers: Record<string, string> = {}): Answer {
  const body = `<Error><Code>${status}</Code><Detail>${detail} TrackingId:0b6fd24e_G21, SystemTracker:NoSystemTracker</Detail></Error>`;
  return {
    status,
    headers: { 'content-type': 'application/xml; charset=utf-8', ...headers },
    body: Buffer.from(body),
  };
}

export function throttled(headers: Record<string, string> = {}): Answer {
  const detail =
    'The request was terminated because the entity is being throttled. Error code : 50002. Please wait 4 seconds and try again.';
  return hubError(503, detail, headers);
}

function eventsIn(body: Buffer): { body: string; key?: string; contentType?: string }[] | undefined {
  let batch: unknown;
  try {
    batch = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    return undefined;
  }
  if (!Array.isArray(batch)) return undefined;
  const events = [];
  for (const entry of batch as Record<string, unknown>[]) {
    const { Body, BrokerProperties: properties = {}, UserProperties = {}, ...others } = entry;
    if (typeof Body !== 'string' || Object.keys(others).length > 0) return undefined;
    if (typeof properties !== 'object' || typeof UserProperties !== 'object') return undefined;
    const { PartitionKey, ContentType } = properties as { PartitionKey?: string; ContentType?: string };
    events.push({
      body: Body,
      ...(PartitionKey === undefined ? {} : { key: PartitionKey }),
      ...(ContentType === undefined ? {} : { contentType: ContentType }),
    });
  }
  return events;
}
