import type { DestinationEnvironment, Verdict } from '../contract.ts';
import { CONNECT_TIMEOUT_MS } from '../egress.ts';
import { cancelled, networkFault, timedOut } from '../network-fault.ts';

/**
 * Checks that an http or https URL can be reached, without sending a byte of HTTP: name, address rule, connection, and
 * for https the handshake with the certificate. Never throws.
 * @param at the receiver, for people
 */
export async function probe(
  url: URL,
  at: string,
  { egress, clock }: Pick<DestinationEnvironment, 'egress' | 'clock'>,
  signal: AbortSignal,
): Promise<Verdict> {
  if (signal.aborted) return failed(cancelled(at));
  const done = Promise.withResolvers<Verdict>();
  const connecting = egress.connect(url);
  connecting.then(
    (socket) => {
      done.resolve({ type: 'reachable', checked: 'connection' });
      socket.on('error', () => {}).destroy();
    },
    (error) => done.resolve(failed(networkFault(error, at))),
  );
  const cancelTimer = clock.after(CONNECT_TIMEOUT_MS, () =>
    done.resolve(failed(timedOut(at, CONNECT_TIMEOUT_MS))),
  );
  const onAbort = () => done.resolve(failed(cancelled(at)));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await done.promise;
  } finally {
    cancelTimer();
    signal.removeEventListener('abort', onAbort);
  }
}

function failed({ cause }: ReturnType<typeof cancelled>): Verdict {
  return { type: 'failed', cause };
}
