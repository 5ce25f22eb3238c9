import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ApiError } from '../errors.ts';
import type { Clock } from '../lib/clock.ts';

/** An answer that is smaller is no burden: the buffers of the system take it. */
const LARGE_ANSWER = 64 * 1024;
/** Of one organisation: more than its budget of bytes lets through at once, so that a caller who reads meets that limit first. */
export const MOST_UNREAD = 96 * 2 ** 20;
/** A caller who reads more slowly keeps the answer in the node's memory for longer than a list is worth. */
export const LEAST_READ_RATE = 16 * 1024;
export const READ_GRACE_MS = 30_000;

/**
 * Bounds what callers keep in a node's memory by not reading their answers: connections of callers who read too slowly are closed,
 * and an organisation with many unread bytes gets no further answer before some are read.
 */
export function boundUnreadAnswers(app: FastifyInstance, clock: Clock): void {
  const unread = new Map<number | string, number>();
  app.addHook('preHandler', (request, _, done) => {
    // Changes and records have small answers.
    const whose = request.method === 'GET' ? readerOf(request) : undefined;
    done(whose !== undefined && (unread.get(whose) ?? 0) >= MOST_UNREAD ? tooMuchUnread() : undefined);
  });
  app.addHook('onSend', (request, { raw }, payload, done) => {
    const bytes = typeof payload === 'string' || Buffer.isBuffer(payload) ? payload.length : 0;
    if (bytes >= LARGE_ANSWER && !raw.destroyed) {
      const whose = readerOf(request) ?? 'anybody';
      unread.set(whose, (unread.get(whose) ?? 0) + bytes);
      const cancel = clock.after(READ_GRACE_MS + (bytes / LEAST_READ_RATE) * 1000, () =>
        raw.socket?.destroy(),
      );
      raw.once('close', () => {
        cancel();
        const left = (unread.get(whose) ?? 0) - bytes;
        if (left > 0) unread.set(whose, left);
        else unread.delete(whose);
      });
    }
    done();
  });
}

/** Calls without a token share no bound: what they get is the same for all, and is kept once. */
function readerOf({ identity }: FastifyRequest): number | string | undefined {
  if (!identity) return undefined;
  return 'organisationId' in identity ? identity.organisationId : identity.actor;
}

function tooMuchUnread(): ApiError {
  const what = `answers that callers of this organisation have not read yet (${MOST_UNREAD / 2 ** 20} MiB)`;
  return new ApiError('TooManyRequests', `Too many ${what}; read them, then try again.`, { retryAfter: 1 });
}
