import type { Clock } from '../lib/clock.ts';
import type { Wakeup } from '../lib/wakeup.ts';
import type { Registry } from '../registry/registry.ts';
import type { ClusterClock } from './cluster-clock.ts';
import type { Contact } from './contact.ts';
import type { NodeDescription } from './nodes.ts';
import type { LeaseTiming } from './timing.ts';
import { NODE, type NodeDocument, nodeKey } from './view.ts';
import type { Waits } from './waits.ts';

interface HeartbeatContext {
  readonly store: Registry;
  readonly clock: Clock;
  readonly shared?: ClusterClock;
  readonly timing: LeaseTiming;
  readonly node: NodeDescription;
  readonly session: string;
  /** Wall clock, ms: when this node's part began. */
  readonly started: number;
  readonly contact: Contact;
  readonly waits: Waits;
  /** Sends the next heartbeat at once. */
  readonly beatNow: Wakeup;
  /** Whether the node takes no more partitions. */
  leaving(): boolean;
  /** The state of the node's leases has changed. */
  changed(): void;
}

/** Sends heartbeats one after the other, never two at a time, until `ended`; the last one deletes the node's document. */
export async function sendHeartbeats(context: HeartbeatContext, ended: AbortSignal): Promise<void> {
  const { store, clock, timing, session, started, contact, waits, beatNow } = context;
  const { name, version } = context.node;
  for (let beat = 1; !ended.aborted; beat++) {
    const sentAt = clock.monotonic();
    const leaving = context.leaving();
    const clockNow = context.shared?.reading();
    const said = clockNow === undefined ? {} : { clock: clockNow };
    const document: NodeDocument = { name, version, started, leaving, beat, ...said };
    const outcome = await NODE.put(store, nodeKey(session), document);
    if (outcome.type === 'stored') {
      const before = contact.look();
      if (contact.stored(sentAt) !== before) context.changed();
    }
    if (leaving !== context.leaving()) continue;
    const passed = clock.monotonic() - sentAt;
    const pause = Math.max(waits.jittered(timing.heartbeatMs) - passed, 0);
    // After a slow answer the next question follows at once, after a fault a short pause.
    await waits.wait(beatNow, outcome.type === 'stored' ? pause : Math.max(pause, timing.lookMs));
  }
  // After a bug or while NATS is away the document stays; the other nodes notice the silence.
  if (contact.look() === 'granted') await store.delete(nodeKey(session));
}
