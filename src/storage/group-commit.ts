/**
 * Group commit: requests that arrive while a commit is under way gather, and the next commit takes all of them.
 * Alone, a request is committed at once; under load one sync to disk serves many requests, and no timer is involved.
 * One commit runs at a time, so that what a request finds in the store is what the ones before it left there.
 */
interface GroupCommit<Request, Outcome> {
  /** Resolves with the outcome of this request's commit; undefined where too much is waiting already. */
  submit(request: Request, bytes: number): Promise<Outcome> | undefined;
  /** Resolves when nothing waits any more. */
  idle(): Promise<void>;
}

interface GroupLimits {
  /** A group is closed when it has this many bytes. */
  readonly groupBytes: number;
  /** Requests beyond this many bytes in wait are turned away. */
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
 *   a rejection is a bug and is passed on to every caller of the group.
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
      // Callers that go on at once with their next request belong in the next group, not in the one after it.
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
