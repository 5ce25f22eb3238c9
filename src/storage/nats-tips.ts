import type { Nats } from './nats.ts';

/** Nodes tell each other the place of their newest blocks, so that a follower notices when it misses one. */
export interface Tips<Of extends string | number> {
  /** `number` is the greatest stored number: a sequence, or the one after it. */
  stored(of: Of, number: number): void;
}

/** Nodes say it at most this often, and only after they stored something: an idle installation sends nothing. */
const SAY_EVERY_MS = 500;

/**
 * Shares greatest numbers over NATS' own messages. A lost message does no harm: a follower also asks the servers, only later.
 * @param heard called for the messages of other nodes and of this one
 */
export function shareTips<Of extends string | number>(
  { connection, clock }: Pick<Nats, 'connection' | 'clock'>,
  subject: string,
  heard: (of: Of, number: number) => void,
): Tips<Of> {
  const news = new Map<Of, number>();
  let isDue = false;

  connection.subscribe(subject, {
    callback: (error, message) => {
      if (error) return;
      for (const [of, number] of message.json<(readonly [Of, number])[]>()) heard(of, number);
    },
  });

  const say = () => {
    isDue = false;
    const tips = [...news];
    news.clear();
    if (!connection.isClosed() && !connection.isDraining()) connection.publish(subject, JSON.stringify(tips));
  };

  return {
    stored: (of, number) => {
      news.set(of, number);
      if (isDue) return;
      isDue = true;
      clock.after(SAY_EVERY_MS, say);
    },
  };
}
