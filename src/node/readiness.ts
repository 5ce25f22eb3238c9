import type { Clock } from '../lib/clock.ts';
import type { LogFault, RecordLog } from '../log/log.ts';
import type { AppendHealth } from './append-health.ts';
import type { NodeStorage } from './storage-port.ts';

/** Why a node is not ready, in words; empty when it is ready. */
export async function whatIsMissing(
  { log, registry, connected, leases, clock }: NodeStorage,
  delivery: { readonly running: boolean },
  appends: AppendHealth,
): Promise<string[]> {
  const missing = delivery.running ? [] : ['delivery has ended; restart the node'];
  // Known at once; a read would wait for the connection first.
  if (!connected()) return [...missing, 'there is no connection to NATS'];
  const { faults, quorum } = leases.nodes.snapshot();
  missing.push(...faults);
  // A storage that stores nothing may still answer reads from an old copy.
  if (!quorum) return missing;
  try {
    await withinMs(clock, registry.get('readiness'));
    missing.push(...stopping(log.partitions, await withinMs(clock, faultsOf(log))));
    const fault = await withinMs(clock, appends.fault());
    if (fault !== undefined) missing.push(`records cannot be stored: ${fault}`);
  } catch (error) {
    missing.push(`the storage cannot be read: ${error instanceof Error ? error.message : error}`);
  }
  return missing;
}

/**
 * What is wrong although the node is ready, in words: some partitions take no records. Another node could not store these either, so
 * the node goes on to take the others.
 */
export async function whatIsWrong({ log, clock }: NodeStorage): Promise<string[]> {
  const faults = await withinMs(clock, faultsOf(log)).catch(() => []);
  return faults.map(({ words }) => words);
}

const faultsOf = async (log: RecordLog): Promise<readonly LogFault[]> => (await log.faults?.()) ?? [];

/** Faults of which the node can take no records. */
function stopping(partitions: number, faults: readonly LogFault[]): string[] {
  const general = faults.filter(({ partition }) => partition === undefined);
  const others = faults.filter(({ partition }) => partition !== undefined);
  const [first] = others;
  const all = first && others.length === partitions ? [`no partition takes records; ${first.words}`] : [];
  return [...general.map(({ words }) => words), ...all];
}

/** A balancer asks often, and wants to know soon. */
const READINESS_WITHIN_MS = 3_000;

async function withinMs<T>(clock: Clock, answer: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const late = new Error(`no answer in ${READINESS_WITHIN_MS / 1_000} s`);
  const cancel = clock.after(READINESS_WITHIN_MS, () => reject(late));
  return Promise.race([answer, promise]).finally(cancel);
}
