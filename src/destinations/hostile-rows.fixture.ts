import type { ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import type { Outcome } from './contract.ts';
import type { Answering, ReceivedRequest } from './http/peer.fixture.ts';

/** A service's behaviour for one request; `take` is the healthy behaviour. */
export type Behaviour = (
  request: ReceivedRequest,
  response: ServerResponse,
  take: Answering,
  taken: string[],
) => void;

export interface HostileRow {
  readonly what: string;
  /** To the requests with records, in their order; then the service is well. */
  readonly answers: readonly Behaviour[];
  /** The first behaviour lasts. */
  readonly lasting?: true;
  /** A call waits, and the clock moves. */
  readonly waits?: true;
  /** Replaces the answers to requests without records. */
  readonly aside?: Answering;
  /** The outcome of the first send. */
  readonly type: Outcome['type'];
  /** The message for the customer. */
  readonly reads: RegExp;
}

export function says(status: number, body = '', headers: Record<string, string> = {}): Behaviour {
  return (_, response) => response.writeHead(status, headers).end(body);
}

/** Bytes in the place of an answer. */
function raw(text: string): Behaviour {
  return (_, response) => response.socket?.end(text);
}

const HTML = '<!DOCTYPE html><html><body>Access to this site is blocked</body></html>';

/** The behaviours of any service over HTTP. */
export const COMMON: readonly HostileRow[] = [
  {
    what: 'takes the records, and its answer is lost',
    answers: [
      (request, response, take) => {
        const { socket } = response;
        take(request, {
          writeHead: () => ({ end: () => {} }),
          end: () => {},
          write: () => true,
          setHeader: () => {},
        } as unknown as ServerResponse);
        socket?.destroy();
      },
    ],
    type: 'retry',
    reads: /closed the connection/,
  },
  {
    what: 'closes the connection, twice',
    answers: [(_, response) => response.socket?.destroy(), (_, response) => response.socket?.destroy()],
    type: 'retry',
    reads: /closed the connection/,
  },
  {
    what: 'never answers',
    answers: [() => {}],
    waits: true,
    type: 'retry',
    reads: /did not answer within 30 s/,
  },
  {
    what: 'answers with something that is not HTTP',
    answers: [raw('SSH-2.0-OpenSSH_9.2\r\n')],
    type: 'retry',
    reads: /not HTTP/,
  },
  {
    what: 'answers with 40 KB of headers',
    answers: [raw(`HTTP/1.1 200 OK\r\nx: ${'a'.repeat(40_000)}\r\n\r\n`)],
    type: 'retry',
    reads: /longer than 16 KB/,
  },
  {
    what: 'answers 100 Continue unasked, then takes the records',
    answers: [
      (request, response, take) => {
        response.writeContinue();
        take(request, response);
      },
    ],
    type: 'delivered',
    reads: /^$/,
  },
  {
    what: 'has a fault, and compresses its answer unasked (500, gzip)',
    answers: [
      (_, response) =>
        response
          .writeHead(500, { 'content-encoding': 'gzip' })
          .end(gzipSync('<html>Out of order until noon</html>')),
    ],
    type: 'retry',
    reads: /./,
  },
  { what: 'has a fault, twice (500)', answers: [says(500), says(500)], type: 'retry', reads: /./ },
  {
    what: 'is down behind its gateway (502, an HTML page)',
    answers: [says(502, HTML)],
    type: 'retry',
    reads: /./,
  },
  {
    what: 'refuses a request as too large (413)',
    answers: [says(413, HTML)],
    type: 'too_large',
    reads: /large|413/,
  },
  {
    what: 'a proxy on the way refuses (403, an HTML page), for good',
    answers: [says(403, HTML)],
    lasting: true,
    type: 'platform',
    reads: /did not come from/,
  },
];

/** A page with a success status is no receipt: the service has not seen the records. (A webhook decides by the status alone.) */
export const PROXY_PAGE: HostileRow = {
  what: 'a proxy on the way answers 200 with a page of its own',
  answers: [says(200, HTML), says(200, `\uFEFF<?xml version="1.0"?>\n<!-- portal -->\n${HTML}`)],
  type: 'platform',
  reads: /did not come from/,
};
