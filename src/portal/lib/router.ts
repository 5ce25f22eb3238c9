import { createStore, type Store } from './store.ts';

/**
 * The address of the page: the view, the tab, and the values of a new stream.
 *
 *  A1  Each entry of the history names its user. Another user never sees the pages of the one before.
 *  A2  Input that is not saved is asked about before the view that holds it goes, whichever way it would go.
 *  A3  Typed text reaches the views at once, and the browser's address a moment later: browsers refuse
 *      frequent changes.
 *
 *      at rest ──amend──▶ amended ──a moment, or any move──▶ at rest
 *      at rest ──move──▶ at rest, or, with unsaved input, asked ──leave──▶ at rest at the new address
 *                                                              └──stay──▶ at rest at the old address
 */
interface Router {
  readonly address: Store<string>;
  /** The move that waits for an answer to "leave without saving?". */
  readonly question: Store<Question | undefined>;
  navigate(to: string, options?: MoveOptions): void;
  /** Does something that loses unsaved input, once the reader agrees. */
  leaveThen(run: () => void): void;
  /** Changes the address of the present view without a new entry in the history. */
  amend(to: string): void;
  /** @param isLost whether a move to an address loses input; asked at each move. @returns how to withdraw it */
  guard(isLost: (to: URL) => boolean): () => void;
  /** Whether closing the page loses input. */
  isGuarded(): boolean;
  /** From now on the page belongs to this user; undefined: to no user. */
  belongsTo(identity: string | undefined): void;
}

interface MoveOptions {
  readonly replace?: boolean;
}

interface Question {
  leave(): void;
  stay(): void;
}

/** The parts of a window that are used. */
export interface RouterWindow {
  readonly location: { readonly href: string };
  readonly history: {
    readonly state: unknown;
    pushState(state: unknown, unused: string, url: string): void;
    replaceState(state: unknown, unused: string, url: string): void;
  };
  addEventListener(type: 'popstate' | 'pagehide', listener: () => void): void;
  scrollTo(x: number, y: number): void;
  setTimeout(run: () => void, milliseconds: number): number;
  clearTimeout(timer: number | undefined): void;
}

/** Safari throws above a hundred changes in 30 s. */
const MOMENT = 400;
/** The first page of a user, and the target of another user's history entry. */
export const HOME = '/data-streams';

export function createRouter(window: RouterWindow): Router {
  const { history } = window;
  const address = createStore(window.location.href);
  const question = createStore<Question | undefined>(undefined);
  const guards = new Set<(to: URL) => boolean>();
  let owner: string | undefined;
  let timer: number | undefined;
  const state = () => ({ of: owner });
  const absolute = (to: string) => new URL(to, address.get()).href;
  const isLost = (to: string) => [...guards].some((lost) => lost(new URL(to)));

  const flush = () => {
    if (timer === undefined) return;
    window.clearTimeout(timer);
    timer = undefined;
    history.replaceState(state(), '', address.get());
  };
  const move = (to: string, { replace = false }: MoveOptions) => {
    flush();
    if (replace) history.replaceState(state(), '', to);
    else {
      history.pushState(state(), '', to);
      window.scrollTo(0, 0);
    }
    address.set(to);
  };
  const ask = (run: () => void) =>
    question.set({
      leave: () => {
        question.set(undefined);
        run();
      },
      stay: () => question.set(undefined),
    });
  const isOfAnother = () => {
    const { of } = (history.state ?? {}) as { readonly of?: unknown };
    return typeof of === 'string' && owner !== undefined && of !== owner;
  };

  window.addEventListener('popstate', () => {
    const before = address.get();
    const to = window.location.href;
    if (isOfAnother()) return move(absolute(HOME), { replace: true });
    if (to !== before && isLost(to)) {
      history.pushState(state(), '', before);
      return ask(() => move(to, {}));
    }
    window.clearTimeout(timer);
    timer = undefined;
    address.set(to);
  });
  window.addEventListener('pagehide', flush);

  return {
    address,
    question,
    navigate: (to, options = {}) => {
      const target = absolute(to);
      if (isLost(target)) ask(() => move(target, options));
      else move(target, options);
    },
    leaveThen: (run) => {
      if (isLost(absolute('/'))) ask(run);
      else run();
    },
    amend: (to) => {
      address.set(absolute(to));
      window.clearTimeout(timer);
      timer = window.setTimeout(flush, MOMENT);
    },
    guard: (lost) => {
      guards.add(lost);
      return () => guards.delete(lost);
    },
    isGuarded: () => isLost(absolute('/')),
    belongsTo: (identity) => {
      owner = identity;
      question.set(undefined);
      if (identity === undefined) return;
      const { pathname } = new URL(address.get());
      if (isOfAnother() || pathname === '/') move(absolute(HOME), { replace: true });
      else history.replaceState(state(), '', address.get());
    },
  };
}
