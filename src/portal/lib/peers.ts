/**
 * Lets a new tab take over the login of another tab of the same browser, so that it does not ask for a password again. The
 * tokens travel between pages of one origin only (BroadcastChannel), and are written nowhere.
 */
export interface Peers {
  /** The login of the other tabs; undefined if there is none, or if they are signed in as different users. */
  ask(): Promise<HeldLogin | undefined>;
  /** Tells the other tabs that this user has signed out. */
  signedOut(identity: string): void;
  close(): void;
}

export interface HeldLogin {
  readonly refreshToken: string;
  /** Organisation and name of the user. */
  readonly identity: string;
}

type Message =
  | { readonly is: 'wanted'; readonly by: string }
  | { readonly is: 'held'; readonly for: string; readonly login: HeldLogin }
  | { readonly is: 'signed out'; readonly identity: string };

/** The part of BroadcastChannel that is used. */
export interface Channel {
  postMessage(message: unknown): void;
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
  close(): void;
}

/** Tabs answer within a few milliseconds; a new tab without others waits for all of this before it asks for a password. */
const WAIT = 200;

export function createPeers(
  channel: Channel,
  parts: {
    /** The login of this tab. */
    held(): HeldLogin | undefined;
    /** Called when another tab signed out, with its user. */
    signedOut(identity: string): void;
    /** A name for this tab's question that no other tab has. */
    name(): string;
    sleep(milliseconds: number): Promise<void>;
  },
): Peers {
  const answers = new Map<string, HeldLogin[]>();
  channel.addEventListener('message', ({ data }) => {
    const message = data as Message;
    if (message.is === 'wanted') {
      const login = parts.held();
      if (login) channel.postMessage({ is: 'held', for: message.by, login } satisfies Message);
    } else if (message.is === 'held') answers.get(message.for)?.push(message.login);
    else if (message.is === 'signed out') parts.signedOut(message.identity);
  });
  return {
    ask: async () => {
      const by = parts.name();
      const held: HeldLogin[] = [];
      answers.set(by, held);
      channel.postMessage({ is: 'wanted', by } satisfies Message);
      await parts.sleep(WAIT);
      answers.delete(by);
      const [first] = held;
      return held.every(({ identity }) => identity === first?.identity) ? first : undefined;
    },
    signedOut: (identity) => channel.postMessage({ is: 'signed out', identity } satisfies Message),
    close: () => channel.close(),
  };
}
