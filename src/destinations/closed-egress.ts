import { Agent } from 'undici';
import { Connections } from './connections.ts';
import type { SharedEgress } from './egress.ts';

/** A way out that lets nothing out: a connector makes its request as always, which then meets no server. */
export function createClosedEgress(): SharedEgress {
  const closed = () => new Error('nothing is sent');
  const agent = new Agent({ connect: (_, callback) => callback(closed(), null) });
  const egress: SharedEgress = {
    allows: () => true,
    lookup: (_hostname, _options, callback) => callback(closed(), ''),
    connect: () => Promise.reject(closed()),
    agent,
    connections: new Connections(),
    of: () => egress,
    get own() {
      return egress;
    },
    close: () => agent.destroy(),
  };
  return egress;
}
