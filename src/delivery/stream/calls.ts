import type { Share } from '../../lib/shares.ts';
import { comparePositions } from '../../log/log.ts';
import { recordBytes } from '../../records/block.ts';
import type { DataStreamDocument } from '../../registry/data-stream.ts';
import { blockOf } from './batch.ts';
import { type Chunk, recordAt } from './chunk.ts';
import type { Effect, Event, Refused } from './events.ts';
import { SLOTS } from './lanes.ts';
import { countBlocks, type LogView, readBlocks } from './log-calls.ts';
import { NotedRequests } from './noted-requests.ts';
import { type Around, OpenDestination } from './open-destination.ts';
import { DAMAGED } from './outcomes.ts';
import { readSame } from './same-block.ts';
import type { Selector } from './selecting.ts';
import { nameOf, type QuarantinedRecord, type StreamContext, type StreamSummary } from './stream-context.ts';
import { takingOf } from './taking.ts';

const NOT_PERMITTED =
  'This node has no contact with its storage, and sends nothing that another node may be sending.';
const NO_MEMORY = 'Other deliveries use all the memory that this node has for records on their way.';

/** Executes the effects of one machine that take time, and reports their results. */
export class Calls {
  readonly #context: StreamContext;
  readonly #stream: () => StreamSummary;
  readonly #view: LogView;
  readonly #feed: (event: Event) => void;
  readonly #tasks = new Set<Promise<unknown>>();
  readonly #shares = new Map<number, Share>();
  readonly #sending = new Map<number, AbortController>();
  readonly #around: Around;
  /** Requests that have their memory, and wait for the permit to send. */
  readonly #unpermitted = new Set<number>();
  readonly #unsubscribe: () => void;
  readonly #stop = new AbortController();
  #openTicket = -1;
  #open: OpenDestination | undefined;
  document: DataStreamDocument | undefined;

  constructor(
    context: StreamContext,
    stream: () => StreamSummary,
    selector: Selector,
    feed: (event: Event) => void,
  ) {
    this.#context = context;
    this.#stream = stream;
    this.#view = { context, selector, feed };
    this.#feed = feed;
    this.#around = {
      context,
      stream,
      document: () => this.document as DataStreamDocument,
      noted: new NotedRequests(),
      failed: (error) => this.#failed(error),
    };
    this.#unsubscribe = context.permit.onGranted(() => this.#goOn());
  }

  /** Aborts when the machine has ended. */
  get stop(): AbortSignal {
    return this.#stop.signal;
  }

  /** D2 of driver.ts. A promise that rejects is a bug. */
  own(promise: Promise<unknown>): void {
    const owned: Promise<unknown> = promise
      .catch((error: unknown) => this.#failed(error))
      .finally(() => this.#tasks.delete(owned));
    this.#tasks.add(owned);
  }

  #failed(error: unknown): void {
    const reason = error instanceof Error ? error.stack : String(error);
    this.#context.fault(`a part of the delivery failed: ${reason}`, this.#stream());
  }

  /** Ends all calls, and resolves when none is left. */
  async end(): Promise<void> {
    this.#stop.abort();
    this.#unsubscribe();
    for (const controller of this.#sending.values()) controller.abort(new Error('the delivery has ended'));
    for (const request of [...this.#shares.keys()]) this.#freeMemory(request);
    this.#close();
    while (this.#tasks.size > 0) await Promise.all(this.#tasks);
  }

  execute(effect: Effect): void {
    switch (effect.type) {
      case 'read':
        this.own(readBlocks(this.#view, effect));
        break;
      case 'count':
        this.own(countBlocks(this.#view, effect, this.stop));
        break;
      case 'open':
        this.own(this.#openNow(effect.ticket));
        break;
      case 'close':
        this.#close();
        break;
      case 'ask_memory':
        this.#ask(effect.request, effect.bytes, effect.failing);
        break;
      case 'free_memory':
        this.#freeMemory(effect.request);
        break;
      case 'send':
        this.#send(effect.request, effect.chunk, effect.tries);
        break;
      case 'cancel':
        this.#sending.get(effect.request)?.abort(new Error(effect.reason));
        break;
      case 'ask_wait':
        this.#sayWait(effect.request);
        break;
      case 'commit_now':
        this.own(this.#commitNow(effect.request));
        break;
      case 'keep_hours':
        this.own(this.#keepHours(effect));
        break;
      case 'quarantine':
        this.own(this.#quarantine(effect.request, effect.chunk, effect.refused));
        break;
      default:
        throw new Error(`${effect.type} is not a call`);
    }
  }

  async #openNow(ticket: number): Promise<void> {
    this.#openTicket = ticket;
    const opening = await this.#context.open(this.document as DataStreamDocument);
    if (opening.type === 'failed') {
      this.#feed({ type: 'not_opened', ticket, cause: opening.cause, actor: opening.actor ?? 'customer' });
      return;
    }
    const { destination, waitsFor = () => undefined } = opening;
    const gathering = takingOf(opening.gathering, this.document?.delivery);
    const slots = gathering.by === 'batch' && gathering.lanes ? SLOTS : 1;
    const open = new OpenDestination(this.#around, destination, slots, waitsFor);
    // The stream was changed, or ended, while the destination was being opened.
    if (this.#openTicket !== ticket || this.stop.aborted) {
      this.own(open.close());
      return;
    }
    this.#open = open;
    this.#feed({ type: 'opened', ticket, gathering });
  }

  #close(): void {
    this.#openTicket = -1;
    const open = this.#open;
    this.#open = undefined;
    if (open) this.own(open.close());
  }

  #ask(request: number, bytes: number, failing: boolean): void {
    const { budgets } = this.#context;
    const stream = this.#stream();
    const granted = () => this.#whenPermitted(request);
    const shares = failing ? budgets.failing : budgets.healthy;
    this.#shares.set(request, shares.ask(stream.organisationId, nameOf(stream), bytes, granted));
  }

  /** The machine sends in the same turn in which a request is granted. */
  #whenPermitted(request: number): void {
    if (this.#context.permit.granted()) this.#feed({ type: 'granted', request });
    else this.#unpermitted.add(request);
  }

  #goOn(): void {
    const waiting = [...this.#unpermitted];
    this.#unpermitted.clear();
    for (const request of waiting) this.#whenPermitted(request);
  }

  #sayWait(request: number): void {
    if (this.#sending.has(request)) {
      const cause = this.#open?.waitsFor() ?? 'The destination has not yet answered.';
      this.#feed({ type: 'wait_known', request, actor: 'receiver', cause });
      return;
    }
    const cause = this.#unpermitted.has(request) ? NOT_PERMITTED : NO_MEMORY;
    this.#feed({ type: 'wait_known', request, actor: 'operator', cause });
  }

  #freeMemory(request: number): void {
    this.#unpermitted.delete(request);
    this.#shares.get(request)?.release();
    this.#shares.delete(request);
  }

  #send(request: number, chunk: Chunk, tries: number): void {
    const open = this.#open;
    if (!open) throw new Error('a request was made for a destination that is not open');
    const controller = new AbortController();
    this.#sending.set(request, controller);
    open.send(chunk, tries, controller.signal, (outcome, usage) => {
      this.#sending.delete(request);
      this.#feed({ type: 'answered', request, outcome, usage });
    });
  }

  async #commitNow(request: number): Promise<void> {
    const durable = await this.#context.committed();
    this.#feed({ type: durable ? 'committed' : 'not_committed', request });
  }

  async #keepHours({ before, hours }: Extract<Effect, { type: 'keep_hours' }>): Promise<void> {
    // H4
    const durable = await this.#context.committed();
    const kept = durable && (await this.#context.keepHours(this.#stream(), hours));
    this.#feed({ type: 'hours_kept', before, kept });
  }

  async #quarantine(request: number, chunk: Chunk, refused: readonly Refused[]): Promise<void> {
    try {
      const records: QuarantinedRecord[] = [];
      for (const { index, cause } of refused) {
        const { span, at } = recordAt(chunk, index);
        const bytes = cause.code === DAMAGED ? new Uint8Array() : await this.#bytesOf(span, at);
        const position = { sequence: span.sequence, index: at };
        records.push({ position, cause, arrivedAt: span.arrivedAt, bytes });
      }
      records.sort((a, b) => comparePositions(a.position, b.position));
      const outcome = await this.#context.quarantine(this.#stream(), records);
      if (outcome.type === 'full') {
        this.#feed({ type: 'quarantine_full', request, message: outcome.message });
        return;
      }
    } catch (error) {
      this.#feed({ type: 'not_quarantined', request, message: messageOf(error) });
      return;
    }
    this.#feed({ type: 'quarantined', request });
  }

  /** The bytes of a refused record, read again if they are not in memory. */
  async #bytesOf(span: Chunk[number], at: number): Promise<Uint8Array> {
    const { log, partition } = this.#context;
    const stored = span.block ? undefined : await readSame(log, partition, span);
    return recordBytes(span.block ?? blockOf(stored, span.sequence), at);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
