import type { Leases } from '../leases/leases.ts';
import type { NodeCalls } from '../leases/node-calls.ts';
import type { LeaseTelemetry, Nodes } from '../leases/nodes.ts';
import type { Clock, Random } from '../lib/clock.ts';
import type { RecordLog } from '../log/log.ts';
import type { Registry } from '../registry/registry.ts';
import type { StoreVersion } from '../registry/store-version.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';

/** The storage of log, registry and leases, and the contact between nodes: all differences between the two modes. */
export interface NodeStorage {
  readonly log: RecordLog;
  readonly registry: Registry;
  readonly leases: Leases & { readonly nodes: Nodes };
  readonly calls: NodeCalls;
  /** The time that the nodes share; the node's own clock if it has no others. */
  readonly clock: Clock;
  /** Whether the storage can be reached, without a call to it. */
  connected(): boolean;
  /** Resolves with a description when the storage is gone for good; undefined if that cannot be known. */
  readonly lost: Promise<string> | undefined;
  /** The version that the store had when it was opened. */
  readonly version: StoreVersion;
  close(): Promise<void>;
}

export interface StorageParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly telemetry: LeaseTelemetry & Pick<Telemetry, 'platformFault'>;
  /** Ends the wait for a storage that does not answer. */
  readonly signal: AbortSignal;
}
