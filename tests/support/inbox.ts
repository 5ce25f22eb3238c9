import { type ReceivedRequest, type Receiver, type ReceiverAnswer, startReceiver } from './receiver.ts';

/** A delivery that was taken. Times are of `performance.now()`. */
interface InboxDelivery {
  readonly id: string;
  readonly records: readonly InboxRecord[];
  readonly at: number;
}

interface InboxRecord {
  readonly id: number;
  readonly event_type: { readonly id: number };
}

/** What one data stream delivers to: a path of an `Inboxes`. */
export class Inbox {
  readonly url: string;
  /** Those that were answered with 2xx, in their order. */
  readonly deliveries: InboxDelivery[] = [];
  /** What it answers. */
  answer: (
    records: readonly InboxRecord[],
    request: ReceivedRequest,
  ) => ReceiverAnswer | Promise<ReceiverAnswer>;

  constructor(url: string) {
    this.url = url;
    this.answer = () => ({ status: 200 });
  }

  get records(): InboxRecord[] {
    return this.deliveries.flatMap(({ records }) => records);
  }

  get ids(): number[] {
    return this.records.map(({ id }) => id);
  }

  async take(request: ReceivedRequest): Promise<ReceiverAnswer> {
    const text = request.body.toString();
    const records = (text === '' ? [] : JSON.parse(text)) as InboxRecord[];
    // Someone tries whether it can be reached.
    if (records.length === 0) return { status: 200 };
    const answer = await this.answer(records, request);
    if (answer.status < 300) {
      const id = String(request.headers['webhook-id'] ?? '');
      this.deliveries.push({ id, records, at: performance.now() });
    }
    return answer;
  }
}

/** A receiver with any number of inboxes, each a path of its own. */
export class Inboxes {
  readonly #inboxes = new Map<string, Inbox>();
  #receiver: Receiver | undefined;

  async begin(): Promise<void> {
    this.#receiver = await startReceiver((request) => {
      const inbox = this.#inboxes.get(request.path);
      return inbox ? inbox.take(request) : { status: 404 };
    });
  }

  add(): Inbox {
    if (!this.#receiver) throw new Error('the receiver has not begun');
    const path = `/${this.#inboxes.size}`;
    const inbox = new Inbox(`${this.#receiver.url}${path}`);
    this.#inboxes.set(path, inbox);
    return inbox;
  }

  async end(): Promise<void> {
    await this.#receiver?.close();
  }
}
