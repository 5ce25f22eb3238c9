import type { Duplex } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import type { Clock } from '../lib/clock.ts';
import { Turns } from '../lib/turns.ts';

/**
 * How long a caller that still sends may go on after its answer: if the connection were closed at once, the system would
 * discard the answer together with the unread bytes.
 */
const LINGER_MS = 5_000;

/** Callers that were answered together are cut off one after the other: hundreds at once would hold up all others. */
const cutOff = new Turns();

/** Destroys a connection whose request was answered before its body had arrived, unless the rest arrives soon. */
export function destroyUnreadUploads(app: FastifyInstance, clock: Clock): void {
  app.addHook('onResponse', ({ raw }, _, done) => {
    if (!raw.complete && !raw.destroyed) {
      // The rest of the body is discarded, and does not collect in memory.
      raw.resume();
      clock.after(LINGER_MS, () => {
        cutOff.next(() => {
          if (!raw.complete) raw.destroy();
        });
      });
    }
    done();
  });
}

/** Ends a connection that is no longer read: the answer is sent, then the connection is destroyed in any case. */
export function endAndDestroy(socket: Duplex, answer: string, clock: Clock): void {
  socket.end(answer);
  socket.resume();
  clock.after(LINGER_MS, () => cutOff.next(() => socket.destroy()));
}
