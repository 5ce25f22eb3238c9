import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { FIRST_ID, ID_DIGITS } from '../../tests/support/usage-records.ts';
import { answerCalls, machineTime } from '../processes/calls.ts';

/**
 * The receiver of peers, in a process of its own: takes HTTP requests and TCP streams, and counts records by their ids. Peers
 * write records anew, so their bytes are not compared.
 */
const BEGIN = Buffer.from('{"id":');
/** A record's own id has 15 digits; those of its parts have fewer. */
const LONGEST = BEGIN.length + ID_DIGITS;

let first = 0;
let seen = new Uint8Array(0);
let distinct = 0;
let duplicated = 0;
let lastAt = 0;
let complete: (() => void) | undefined;

function count(bytes: Buffer): void {
  for (let at = bytes.indexOf(BEGIN); at >= 0; at = bytes.indexOf(BEGIN, at + 1)) {
    const digits = bytes.toString('latin1', at + BEGIN.length, at + LONGEST);
    if (!/^\d{15}$/.test(digits)) continue;
    const n = Number(digits) - FIRST_ID - first;
    if (n < 0 || n >= seen.length) continue;
    if (seen[n]) duplicated++;
    else {
      seen[n] = 1;
      distinct++;
    }
  }
  lastAt = machineTime();
  if (distinct === seen.length) complete?.();
}

const http = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    count(Buffer.concat(chunks));
    response.writeHead(200).end();
  });
});
http.keepAliveTimeout = 60_000;

const tcp = createTcpServer((socket: Socket) => {
  let rest = Buffer.alloc(0);
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    const bytes = Buffer.concat([rest, chunk]);
    // Whole lines only: an id may be cut.
    const end = bytes.lastIndexOf(0x0a) + 1;
    rest = bytes.subarray(end);
    if (end > 0) count(bytes.subarray(0, end));
  });
});

const handlers = {
  ports: async () => {
    for (const server of [http, tcp]) {
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
    }
    return { http: (http.address() as AddressInfo).port, tcp: (tcp.address() as AddressInfo).port };
  },

  expect: (expected: { readonly first: number; readonly records: number }) => {
    first = expected.first;
    seen = new Uint8Array(expected.records);
    distinct = 0;
    duplicated = 0;
  },

  /** Resolves when all records have come, or no new one came for `stalledMs`. */
  settled: ({ stalledMs }: { readonly stalledMs: number }) =>
    new Promise<{ distinct: number; duplicated: number; lastAt: number }>((resolve) => {
      let before = -1;
      const done = () => {
        clearInterval(stalled);
        complete = undefined;
        resolve({ distinct, duplicated, lastAt });
      };
      const stalled = setInterval(() => {
        if (distinct === before) done();
        before = distinct;
      }, stalledMs);
      complete = done;
      if (distinct === seen.length) done();
    }),
};

export type CounterCalls = typeof handlers;

answerCalls(handlers);
