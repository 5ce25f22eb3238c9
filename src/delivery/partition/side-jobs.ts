import { type ProgressDocument, type ReplayDocument, replayEnded } from '../../registry/data-stream.ts';
import { beyond, type SideJob } from '../stream/state.ts';
import { besideLive } from '../stream/wanted.ts';
import { type Beside, newStream, type Stream } from './partition-stream.ts';
import type { Pumps } from './pumps.ts';
import type { Routing } from './routing.ts';
import type { StreamsContext } from './runner-context.ts';

/** Jobs beside the live ones of a partition's streams: replays, which their documents name, and those that `run` begins. */
export class SideJobs {
  readonly #context: StreamsContext;
  readonly #pumps: Pumps;
  readonly #routing: Routing<Stream>;
  /** Jobs whose range ends at or behind the runner's position, each with the first block behind its range. */
  readonly #open = new Map<Stream, number>();
  /** The smallest of these blocks: most blocks end no range. */
  #nextEnd = Number.POSITIVE_INFINITY;

  constructor(context: StreamsContext, pumps: Pumps, routing: Routing<Stream>) {
    this.#context = context;
    this.#pumps = pumps;
    this.#routing = routing;
  }

  /** The progress of a replay says whether it has ended. */
  notice(stream: Stream, name: string, document: ProgressDocument): void {
    const replay = stream.summary.replays?.find((each) => each.id === name);
    if (replay && replayEnded(replay, document)) stream.replayed.add(replay.id);
  }

  /** Starts and ends the jobs of a stream's replays as its document has them. */
  replay(stream: Stream): void {
    const { replays = [] } = stream.summary;
    const wanted = new Set(replays.map(({ id }) => id));
    for (const [name, beside] of stream.beside) if (beside.isReplay && !wanted.has(name)) this.end(beside);
    for (const replay of replays) {
      const running = stream.beside.get(replay.id);
      if (running) running.job = replayJob(replay);
      else if (!stream.replayed.has(replay.id)) this.#pumps.track(this.#runReplay(stream, replay));
    }
  }

  async #runReplay(stream: Stream, replay: ReplayDocument): Promise<void> {
    if (await this.#begin(stream, replayJob(replay), true)) stream.replayed.add(replay.id);
  }

  /** Ends a job before its range is done. */
  end({ stream, end }: Beside): void {
    stream.pump?.delete();
    this.#context.committer()?.forget(stream);
    end(false);
  }

  /** @returns whether the end of the job is durable; false if it was ended before that */
  run(of: Stream, job: SideJob): Promise<boolean> {
    if (of.beside.has(job.name)) throw new Error(`the job ${job.name} of ${of.summary.id} runs already`);
    return this.#begin(of, job, false);
  }

  /**
   * The runner has handed out all blocks before this one. A live job is notified of the end of its range: the blocks
   * there may hold nothing for it, and then no other event would come.
   */
  handedOut(next: number): void {
    if (next < this.#nextEnd) return;
    for (const [stream, end] of this.#open) {
      if (end > next) continue;
      this.#open.delete(stream);
      if (stream.pump) stream.pump.rangeHandedOut();
      else this.#pumps.start(stream);
    }
    this.#nextEnd = Math.min(Number.POSITIVE_INFINITY, ...this.#open.values());
  }

  #begin(of: Stream, job: SideJob, isReplay: boolean): Promise<boolean> {
    if (this.#pumps.ending) return Promise.resolve(false);
    return new Promise((resolve) => {
      const stream = newStream(besideLive(of.summary, job), of);
      const end = (done: boolean) => {
        of.beside.delete(job.name);
        this.#open.delete(stream);
        this.#routing.remove(stream);
        resolve(done);
      };
      of.beside.set(job.name, { stream, job, isReplay, end });
      this.#routing.add(stream);
      if (job.until) {
        this.#open.set(stream, beyond(job.until));
        this.#nextEnd = Math.min(this.#nextEnd, beyond(job.until));
      }
      this.#pumps.start(stream);
    });
  }
}

function replayJob(replay: ReplayDocument): SideJob {
  const { id, from, until, filters, recordsPerSecond, desired, generation } = replay;
  const also = filters.length > 0 ? { also: filters } : {};
  return { name: id, from, until, recordsPerSecond, filters: undefined, desired, generation, ...also };
}
