import { isIP, type Socket } from 'node:net';

/** How far a call of a receiver has come before the first byte of its answer. */
export type Reaching =
  /** Name servers are asked for its address. */
  | 'name'
  /** The operator's proxy is asked for it. */
  | 'proxy'
  | 'connection'
  | 'handshake'
  /** It was connected, and has not read all that it was sent. */
  | 'reading'
  | 'answer';

/** The parts of an origin that a connector gets. */
interface Origin {
  readonly protocol: string;
  readonly hostname: string;
  readonly port: string;
}

/**
 *   name → connection → (handshake) → open        proxy → (handshake) → open        any → closed
 */
interface Connection {
  /** Its socket exists and is connecting. */
  begun(socket: Socket): void;
  /** Requests can be made. */
  opened(): void;
  closed(): void;
}

interface Known {
  readonly isProxied: boolean;
  isResolved: boolean;
  isOpen: boolean;
  socket: Socket | undefined;
}

/**
 * The connections of one organisation by origin: they say what a call waits for. A connection is looked at only when somebody asks,
 * so that requests pay nothing for it.
 */
export class Connections {
  readonly #known = new Map<string, Set<Known>>();

  begin(origin: Origin, isProxied: boolean): Connection {
    const key = keyOf(origin);
    const known: Known = {
      isProxied,
      isResolved: isIP(origin.hostname) !== 0,
      isOpen: false,
      socket: undefined,
    };
    const all = this.#known.get(key) ?? new Set();
    this.#known.set(key, all.add(known));
    return {
      begun: (socket) => {
        known.socket = socket;
        socket.once('lookup', () => {
          known.isResolved = true;
        });
      },
      opened: () => {
        known.isOpen = true;
      },
      closed: () => {
        all.delete(known);
        if (all.size === 0 && this.#known.get(key) === all) this.#known.delete(key);
      },
    };
  }

  /**
   * Ends the open connections to an origin.
   * @returns whether there were some
   */
  end(origin: Origin): boolean {
    let any = false;
    for (const { isOpen, socket } of this.#known.get(keyOf(origin)) ?? []) {
      if (!isOpen || !socket || socket.destroyed) continue;
      socket.destroy();
      any = true;
    }
    return any;
  }

  /** The step that a call without a connection waits for. */
  connecting({ protocol, hostname, port }: URL): Reaching {
    for (const known of this.#known.get(keyOf({ protocol, hostname, port })) ?? [])
      if (!known.isOpen) return stepOf(known);
    return 'connection';
  }

  /** The step that a call with a connection waits for. */
  waiting({ protocol, hostname, port }: URL): Reaching {
    for (const { isOpen, socket } of this.#known.get(keyOf({ protocol, hostname, port })) ?? [])
      if (isOpen && socket && socket.writableLength > 0) return 'reading';
    return 'answer';
  }
}

function stepOf({ isProxied, isResolved, socket }: Known): Reaching {
  if (isProxied) return socket ? 'handshake' : 'proxy';
  if (!socket?.connecting) return socket ? 'handshake' : 'connection';
  return isResolved ? 'connection' : 'name';
}

function keyOf({ protocol, hostname, port }: Origin): string {
  return `${protocol}//${hostname.replace(/^\[|\]$/g, '')}:${port || (protocol === 'https:' ? 443 : 80)}`;
}
