import type { Logger } from 'pino';
import type { Audit } from '../auth/audit.ts';
import type { Secrets } from '../auth/secret.ts';
import type { Config } from '../config/config.ts';
import type { Activity } from '../delivery/watching/activity.ts';
import type { SharedActivity } from '../delivery/watching/shared-activity.ts';
import type { SharedEgress } from '../destinations/egress.ts';
import type { SharedEnvironment } from '../destinations/open.ts';
import type { KeptSessions } from '../ingest/mapping/kept-sessions.ts';
import type { Nodes } from '../leases/nodes.ts';
import type { Clock } from '../lib/clock.ts';
import type { RecordLog } from '../log/log.ts';
import type { PrivacyKeys } from '../privacy/keys.ts';
import type { OrganisationTree } from '../registry/organisation-tree.ts';
import type { Registry } from '../registry/registry.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';

/** The parts of a node that its HTTP side uses. */
export interface NodeParts {
  readonly config: Config;
  readonly storage: {
    readonly log: RecordLog;
    readonly registry: Registry;
    readonly leases: { readonly nodes: Nodes };
  };
  readonly clock: Clock;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
  readonly tree: OrganisationTree;
  readonly secrets: Secrets;
  readonly privacyKeys: PrivacyKeys;
  readonly operatorToken: string;
  readonly egress: SharedEgress;
  readonly activity: Activity;
  readonly audit: Audit;
  /** The sessions of reports with cumulative counters; undefined with NATS: nodes do not count together. */
  readonly kept: KeptSessions | undefined;
  /** Of any stream, whichever node runs it. */
  readonly activityOf: SharedActivity['of'];
  readonly exchangeOf: SharedActivity['exchange'];
  /** Why the node is not ready, in words. */
  readiness(): Promise<readonly string[]>;
  /** What is wrong although the node is ready, in words. */
  faults(): Promise<readonly string[]>;
  readonly environment: SharedEnvironment;
}
