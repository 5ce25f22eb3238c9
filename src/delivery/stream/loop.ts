import { type Work, working } from '../../lib/loop-watch.ts';
import { Calls } from './calls.ts';
import type { Effect, Event, Moment } from './events.ts';
import { step } from './machine.ts';
import type { Selector } from './selecting.ts';
import type { State } from './state.ts';
import type { StreamContext, StreamSummary } from './stream-context.ts';

/** The parts of the driver that the loop needs. */
interface Loop {
  readonly context: StreamContext;
  readonly state: State;
  /** As it was changed last. */
  stream(): StreamSummary;
  readonly selector: Selector;
  /** Reads the stream's documents, and dispatches `loaded`. */
  load(stop: AbortSignal): Promise<void>;
}

/**
 * Hands the events of one machine to it, one at a time, executes the effects (calls.ts), and feeds their results back.
 *
 *  D1  An event is handled in the turn in which it comes, or directly after the one that is being handled.
 */
export class MachineLoop {
  readonly #loop: Loop;
  readonly #work: Work;
  readonly #queue: Event[] = [];
  readonly calls: Calls;
  #handling = false;
  #done = false;
  #cancelWake = () => {};
  #end: () => void = () => {};
  readonly #ended = new Promise<void>((resolve) => {
    this.#end = resolve;
  });

  constructor(loop: Loop) {
    const { organisationId, id } = loop.stream();
    this.#loop = loop;
    this.#work = { what: 'delivery', organisationId, streamId: id };
    this.calls = new Calls(
      loop.context,
      () => loop.stream(),
      loop.selector,
      (event) => this.dispatch(event),
    );
  }

  /** The machine has reached the end of its range. */
  get done(): boolean {
    return this.#done;
  }

  /** Resolves when the machine and all its calls have ended. `stop` ends it, after the grace time. */
  async run(stop: AbortSignal): Promise<void> {
    const { clock, settings } = this.#loop.context;
    let cancelGrace = () => {};
    const onStop = () => {
      this.dispatch({ type: 'stop' });
      cancelGrace = clock.after(settings.stopGraceMs, () => this.dispatch({ type: 'grace_over' }));
    };
    if (stop.aborted) onStop();
    else stop.addEventListener('abort', onStop, { once: true });
    await this.#ended;
    stop.removeEventListener('abort', onStop);
    cancelGrace();
    this.#cancelWake();
    await this.calls.end();
  }

  /** D1 */
  dispatch(event: Event): void {
    this.#queue.push(event);
    if (this.#handling) return;
    this.#handling = true;
    const { context, state } = this.#loop;
    working(this.#work);
    try {
      for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
        const effects = step(state, next, this.#moment(next));
        context.stepped?.(state, next, effects, this.#loop.stream());
        for (const effect of effects) this.#execute(effect);
      }
    } catch (error) {
      // A bug: its committed cursor is right, and it is started again from there.
      const reason = error instanceof Error ? error.stack : String(error);
      context.fault(`the delivery of the stream stopped: ${reason}`, this.#loop.stream());
      state.phase = 'ended';
      state.window.clear();
      this.#queue.length = 0;
      this.#end();
    } finally {
      this.#handling = false;
    }
  }

  #moment(event: Event): Moment {
    const { context } = this.#loop;
    const { clock, random, budgets, timeOfHours } = context;
    return {
      now: clock.now(),
      believed: timeOfHours(),
      monotonic: clock.monotonic(),
      random: random.next(),
      // The block that is being handed out counts as handed out: it is in this event.
      dispatched: event.type === 'offered' ? event.sequence + 1 : context.dispatched(),
      full: budgets.waiting.full,
    };
  }

  #execute(effect: Effect): void {
    const { context } = this.#loop;
    switch (effect.type) {
      case 'load':
        this.calls.own(this.#loop.load(this.calls.stop));
        break;
      case 'commit':
        context.changed();
        break;
      case 'state':
        context.stateChanged(this.#loop.stream(), effect);
        break;
      case 'fault':
        context.fault(effect.message, this.#loop.stream());
        break;
      case 'expired':
        context.expired(this.#loop.stream(), effect.records);
        break;
      case 'lowered':
        context.lowered(effect.by);
        break;
      case 'wake_at':
        this.#wakeAt(effect.at);
        break;
      case 'ended':
        this.#done = effect.done;
        this.#end();
        break;
      default:
        this.calls.execute(effect);
    }
  }

  /** Whole milliseconds, rounded up: a timer that fires a fraction too early would be set again without end. */
  #wakeAt(at: number): void {
    const { clock } = this.#loop.context;
    this.#cancelWake();
    this.#cancelWake =
      at === Number.POSITIVE_INFINITY
        ? () => {}
        : clock.after(Math.max(0, Math.ceil(at - clock.monotonic())), () => this.dispatch({ type: 'due' }));
  }
}
