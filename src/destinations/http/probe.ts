import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { DestinationEnvironment, Verdict } from '../contract.ts';
import { CONNECT_TIMEOUT_MS, ForbiddenAddress } from '../egress.ts';
import { cancelled, networkFault, timedOut } from '../network-fault.ts';

/**
 * Checks that an http or https URL can be reached, without sending a byte of HTTP: name, address rule, connection, and
 * for https the handshake with the certificate. Never throws.
 * @param at who is reached, for people
 */
export async function probe(
  url: URL,
  at: string,
  { egress, clock }: Pick<DestinationEnvironment, 'egress' | 'clock'>,
  signal: AbortSignal,
): Promise<Verdict> {
  if (signal.aborted) return failed(cancelled(at));
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) && !egress.allows(host))
    return failed(networkFault(new ForbiddenAddress(host, 'forbidden'), at));
  const done = Promise.withResolvers<Verdict>();
  const socket = open(url, host, egress.lookup, () => done.resolve({ type: 'reachable' }));
  socket.once('error', (error) => done.resolve(failed(networkFault(error, at))));
  socket.once('close', () => done.resolve(failed(networkFault({ code: 'ECONNRESET' }, at))));
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
    socket.on('error', () => {}).destroy();
  }
}

function open(
  url: URL,
  host: string,
  lookup: DestinationEnvironment['egress']['lookup'],
  onReady: () => void,
): Socket {
  if (url.protocol === 'http:') return connectPlain({ host, port: Number(url.port || 80), lookup }, onReady);
  const name = isIP(host) ? {} : { servername: host };
  const port = Number(url.port || 443);
  return connectTls(
    { host, port, lookup, rejectUnauthorized: true, ALPNProtocols: ['http/1.1'], ...name },
    onReady,
  );
}

function failed({ cause }: ReturnType<typeof cancelled>): Verdict {
  return { type: 'failed', cause };
}
