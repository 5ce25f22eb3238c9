import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';

/** HTTP clients seldom send a second request before they have the first one's answer, and never so many. */
export const MOST_PIPELINED = 50;

/**
 * Requests that come behind each other on one connection are begun one after the other, in the order in which they are answered.
 * Node.js begins all requests of a packet at once: 500 small ones would keep the event loop from everybody else, although their
 * answers wait for each other. A connection with more than MOST_PIPELINED of them is closed.
 */
export function beginOneByOne(app: FastifyInstance): void {
  const waiting = new WeakMap<Socket, number>();
  app.addHook('onRequest', ({ raw: { socket } }, { raw: response }, done) => {
    // A response gets its socket when those before it are sent.
    if (response.socket) return done();
    const count = (waiting.get(socket) ?? 0) + 1;
    waiting.set(socket, count);
    if (count > MOST_PIPELINED) socket.destroy();
    // The rest of a packet is read also when its connection is closed. Nothing was begun for it.
    if (socket.destroyed) return;
    response.once('socket', () => {
      waiting.set(socket, (waiting.get(socket) ?? 0) - 1);
      done();
    });
  });
}
