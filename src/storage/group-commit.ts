/**
 * Group commit: requests that arrive during a commit are collected, and the next commit takes all of them. A single
 * request is committed at once; under load one sync to disk serves many requests, and no timer is needed. One commit runs
 * at a time, so a request finds in the store exactly what the requests before it left.
 */
interface GroupCommit<Request, Outcome> {
  /** Resolves with the outcome of this request's commit; undefined if too many bytes are waiting already. */
  submit(request: Request, bytes: number): Promise<Outcome> | undefined;
  /** Resolves when no request is waiting. */
  idle(): Promise<void>;
}

interface GroupLimits {
  /** A group is closed when it has this many bytes. */
  readonly groupBytes: number;
  /** A request that would wait behind more bytes than this is refused. */
  readonly waitingBytes: number;
}

interface Waiting<Request, Outcome> {
  readonly request: Request;
  readonly bytes: number;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * @param commit answers each request of a group, in order, when the group is durable. Store failures are outcomes;
 *   a rejection is a bug, and every caller of the group receives it.
 */
export function groupCommit<Request, Outcome>(
  commit: (group: readonly Request[]) => Promise<readonly Outcome[]>,
  limits: GroupLimits,
): GroupCommit<Request, Outcome> {
  let waiting: Waiting<Request, Outcome>[] = [];
  let waitingBytes = 0;
  let running: Promise<void> | undefined;

  const takeGroup = () => {
    let bytes = 0;
    let length = 0;
    while (length < waiting.length && (length === 0 || bytes < limits.groupBytes)) {
      bytes += waiting[length]?.bytes ?? 0;
      length++;
    }
    waitingBytes -= bytes;
    const group = waiting.slice(0, length);
    waiting = waiting.slice(length);
    return group;
  };

  const run = async () => {
    while (waiting.length > 0) {
      const group = takeGroup();
      try {
        const outcomes = await commit(group.map(({ request }) => request));
        for (const [index, { resolve }] of group.entries()) resolve(outcomes[index] as Outcome);
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
      // Callers that send their next request at once belong in the next group, not in the one after it.
      await Promise.resolve();
    }
    running = undefined;
  };

  return {
    submit: (request, bytes) => {
      if (waitingBytes > 0 && waitingBytes + bytes > limits.waitingBytes) return undefined;
      return new Promise((resolve, reject) => {
        waiting.push({ request, bytes, resolve, reject });
        waitingBytes += bytes;
        running ??= Promise.resolve().then(run);
      });
    },
    idle: async () => {
      // biome-ignore lint/nursery/noFloatingPromises: it is awaited here; the rule loses sight of that in a loop's condition.
      while (running !== undefined) await running;
    },
  };
}
