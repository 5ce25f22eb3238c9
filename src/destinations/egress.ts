import type { LookupFunction } from 'node:net';
import type { Agent } from 'undici';

/**
 * The way out to destinations. Which addresses may be reached is the operator's choice
 * (SIMSTREAM_ALLOW_DESTINATIONS); it is checked on the resolved address when a connection is made.
 */
export interface Egress {
  /** Whether this literal IP address may be connected to. */
  allows(address: string): boolean;
  /** For `net.connect` and every client built on it: resolves, and fails with ForbiddenAddress if no address is allowed. */
  readonly lookup: LookupFunction;
  /** A shared undici agent whose connections obey the rule, with keep-alive; never follows redirects. */
  readonly agent: Agent;
  close(): Promise<void>;
}
