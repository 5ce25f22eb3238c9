import { once } from 'node:events';
import { connect } from 'node:net';
import { UsageRecords } from '../../tests/support/usage-records.ts';
import { answerCalls, machineTime } from '../processes/calls.ts';

/** Sends records as lines over TCP connections, as fast as they are taken. Nothing says when they are safe. */
interface Lines {
  readonly port: number;
  readonly organisationId: number;
  readonly first: number;
  readonly records: number;
  readonly batch: number;
  readonly connections: number;
}

const handlers = {
  run: async ({ port, organisationId, first, records, batch, connections }: Lines) => {
    const made = new UsageRecords(organisationId);
    const bodies = Array.from({ length: records / batch }, (_, at) =>
      linesOf(made, first + at * batch, batch),
    );
    const startedAt = machineTime();
    const one = async (lane: number) => {
      const socket = connect(port, '127.0.0.1');
      await once(socket, 'connect');
      for (let at = lane; at < bodies.length; at += connections)
        if (!socket.write(bodies[at] as Buffer)) await once(socket, 'drain');
      socket.end();
      await once(socket.resume(), 'close');
    };
    await Promise.all(Array.from({ length: connections }, (_, lane) => one(lane)));
    return { startedAt, endedAt: machineTime() };
  },
};

export type LinesCalls = typeof handlers;

/** The records of an array, each on a line of its own: records hold no line breaks. */
function linesOf(made: UsageRecords, first: number, count: number): Buffer {
  const parts: Buffer[] = [];
  for (let n = first; n < first + count; n++) {
    const one = made.batch(n, 1);
    parts.push(one.subarray(1, -1), Buffer.from('\n'));
  }
  return Buffer.concat(parts);
}

answerCalls(handlers);
