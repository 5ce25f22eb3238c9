import type { HeldPartition } from '../../src/delivery/partition/runner-context.ts';
import type { Clock, Random } from '../../src/lib/clock.ts';
import { notify } from '../../src/notifications/notifier.ts';
import { loadReceivers } from '../../src/notifications/receivers.ts';
import type { Registry } from '../../src/registry/registry.ts';
import type { Chance } from './chance.ts';
import type { Model } from './model.ts';
import type { Process, SimulatedTime } from './time.ts';

interface Surroundings {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly random: Random;
  readonly retentionMs: number;
  readonly time: SimulatedTime;
  readonly process: Process;
  readonly chance: Chance;
  readonly model: Model;
  fault(message: string): void;
}

/** The notifications of one node: what runs beside each partition that it holds. Every organisation has the operator's receiver. */
export async function notifications(
  { registry, clock, random, retentionMs, time, process, chance, model, fault }: Surroundings,
  stop: AbortSignal,
): Promise<(held: HeldPartition, stop: AbortSignal) => Promise<void>> {
  const receivers = await loadReceivers(registry, true, stop);
  const parts = {
    registry,
    clock,
    random,
    receivers,
    retentionMs,
    send: async (_: unknown, __: number, { id, text }: { readonly id: string; readonly text: string }) => {
      await time.sleep(chance.between(5, 200));
      model.notices.sent(id, text);
      await process.entered();
      return chance.happens(0.2)
        ? ({ type: 'failed', message: 'The simulated webhook fails.' } as const)
        : ({ type: 'sent' } as const);
    },
    append: async () => ({ type: 'sent' }) as const,
    gaveUp: () => {},
    fault,
  };
  return ({ partition, streams }, ended) => notify(parts, partition, streams, ended);
}
