import type { Exchange } from '../destinations/contract.ts';
import type { NodesSnapshot } from '../leases/nodes.ts';

const DAY = 86_400_000;

/** The nodes that the tests' own one knows. */
export const NODES: NodesSnapshot = {
  nodes: [
    {
      name: 'a:8080',
      session: 'first',
      self: true,
      skewMs: 0,
      state: 'alive',
      started: DAY,
      version: '1.2.3',
      partitions: [{ partition: 1, epoch: 4, since: 2 * DAY }],
    },
    {
      name: 'b:8080',
      session: 'second',
      self: false,
      skewMs: undefined,
      state: 'silent',
      started: 0,
      version: '1.2.3',
      partitions: [],
    },
  ],
  unheld: [0],
  stuck: [],
  ageMs: 120,
  quorum: true,
  faults: [],
};

/** Of the attempt `kept`. */
export const EXCHANGE: Exchange = {
  method: 'POST',
  url: 'https://box.example/in',
  headers: [['authorization', '***']],
  body: { text: '[{"id":1}', cut: true },
  answer: { status: 503, headers: [['retry-after', '7']], body: { text: 'later', cut: false } },
};
