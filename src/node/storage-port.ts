import type { Leases } from '../leases/leases.ts';
import type { NodeCalls } from '../leases/node-calls.ts';
import type { LeaseTelemetry, Nodes } from '../leases/nodes.ts';
import type { Clock, Random } from '../lib/clock.ts';
import type { RecordLog } from '../log/log.ts';
import type { Registry } from '../registry/registry.ts';
import type { StoreVersion } from '../registry/store-version.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';

/** Where log, registry and leases live, and how nodes hear of each other: all that differs between the two modes. */
export interface NodeStorage {
  readonly log: RecordLog;
  readonly registry: Registry;
  readonly leases: Leases & { readonly nodes: Nodes };
  readonly calls: NodeCalls;
  /** Whether there is a way to the storage, without asking it. */
  connected(): boolean;
  /** What the version of the store was when it was opened. */
  readonly version: StoreVersion;
  close(): Promise<void>;
}

export interface StorageParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly telemetry: LeaseTelemetry & Pick<Telemetry, 'platformFault'>;
  /** Ends waiting for a storage that is away. */
  readonly signal: AbortSignal;
}
