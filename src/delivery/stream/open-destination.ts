import type { Destination, Outcome } from '../../destinations/contract.ts';
import type { DataStreamDocument } from '../../registry/data-stream.ts';
import { type Delivery, deliver } from './batch.ts';
import { bytesOf, type Chunk, countOf, deliveryId, firstOf, type Span } from './chunk.ts';
import { earlierRecords } from './earlier.ts';
import { isNotThere, type NotThere } from './events.ts';
import type { Noted, NotedRequests } from './noted-requests.ts';
import { readSame } from './same-block.ts';
import { type Attempt, nameOf, type StreamContext, type StreamSummary } from './stream-context.ts';
import { Summed, type TakenUsage } from './summed.ts';

/** The stream whose destination is open. */
export interface Around {
  readonly context: StreamContext;
  stream(): StreamSummary;
  document(): DataStreamDocument;
  readonly noted: NotedRequests;
  /** Called with a bug. */
  failed(error: unknown): void;
}

/** A request in flight. */
interface Sent {
  readonly delivery: Delivery & { readonly notes: Noted };
  readonly connectionType: string;
  /** ms since the epoch, and monotonic. */
  readonly startedAt: number;
  readonly started: number;
  fault(message: string): void;
}

type Answered = (outcome: Outcome | NotThere, usage: TakenUsage | undefined) => void;

/** The open destination of a data stream, and its requests in flight: closing it waits for them. */
export class OpenDestination {
  readonly #around: Around;
  readonly #destination: Destination;
  readonly #slots: number;
  /** The reason why a request waits, in words, if the destination knows it. */
  readonly waitsFor: () => string | undefined;
  readonly #readAgain: (span: Span) => ReturnType<typeof readSame>;
  #underWay = 0;
  #idle: (() => void) | undefined;

  /** @param slots lanes of the stream: see `deliveryId` */
  constructor(around: Around, destination: Destination, slots: number, waitsFor: () => string | undefined) {
    this.#around = around;
    this.#destination = destination;
    this.#slots = slots;
    this.waitsFor = waitsFor;
    const { log, partition } = around.context;
    this.#readAgain = (span) => readSame(log, partition, span);
  }

  /** @param answered called once with the result */
  send(chunk: Chunk, tries: number, signal: AbortSignal, answered: Answered): void {
    this.#underWay++;
    void this.#deliver(chunk, tries, signal, answered);
  }

  /** Resolves when no request is in flight, and the destination is closed. */
  async close(): Promise<void> {
    if (this.#underWay > 0)
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    try {
      await this.#destination.close();
    } catch (error) {
      const { context, stream } = this.#around;
      const reason = error instanceof Error ? error.message : String(error);
      context.fault(`the destination could not be closed: ${reason}`, stream());
    }
  }

  /** Never rejects. */
  async #deliver(chunk: Chunk, tries: number, signal: AbortSignal, answered: Answered): Promise<void> {
    const { context, failed } = this.#around;
    try {
      const sent = this.#begin(chunk);
      const outcome = await deliver(this.#destination, sent.delivery, this.#readAgain, signal, sent.fault);
      // The outcome of a cut-off request says nothing about the destination, except that it accepted records.
      if (!isNotThere(outcome) && (!signal.aborted || outcome.type === 'delivered'))
        context.attempted(this.#attemptOf(sent, tries, outcome));
      answered(outcome, sent.delivery.summed?.of(outcome));
    } catch (error) {
      failed(error);
    } finally {
      this.#underWay--;
      if (this.#underWay === 0) this.#idle?.();
    }
  }

  #begin(chunk: Chunk): Sent {
    const { context, noted } = this.#around;
    const { clock } = context;
    const stream = this.#around.stream();
    const document = this.#around.document();
    const started = clock.monotonic();
    const earlier = (since: number) => earlierRecords(context, stream, document, firstOf(chunk), since);
    const delivery = {
      stream,
      chunk,
      id: deliveryId(nameOf(stream), chunk, this.#slots),
      notes: noted.begin(started),
      earlier,
      summed: stream.kind === 'usage' && !stream.job ? new Summed() : undefined,
    };
    const fault = (message: string) => context.fault(message, stream);
    const { connectionType } = document;
    return { delivery, connectionType, startedAt: clock.now(), started, fault };
  }

  #attemptOf(
    { delivery, connectionType, startedAt, started }: Sent,
    tries: number,
    outcome: Outcome,
  ): Attempt {
    const { clock } = this.#around.context;
    const { stream, chunk, id, notes } = delivery;
    return {
      stream,
      connectionType,
      deliveryId: id,
      records: countOf(chunk),
      bytes: bytesOf(chunk),
      startedAt,
      durationMs: clock.monotonic() - started,
      latencyMs: Math.max(0, clock.now() - (chunk[0] as Span).arrivedAt),
      tries,
      outcome,
      exchange: notes.exchange,
    };
  }
}
