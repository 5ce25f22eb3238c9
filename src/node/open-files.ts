import type { Logger } from 'pino';

/**
 * The most open files of the process, and the most of them for connections to receivers. Sockets are files: when none
 * is left, the kernel resets new connections, also those of producers.
 */

/** The files that a node needs itself: its store, event loop, log, scratch files, connections to NATS. */
const OWN_FILES = 32;
/** With fewer, nothing could be delivered at all. */
const LEAST_OUTGOING = 4;

interface UserLimits {
  readonly open_files?: { readonly soft: number | 'unlimited' };
}

/** undefined: without a limit, or the system does not say. */
export function mostOpenFiles(): number | undefined {
  const { userLimits } = process.report.getReport() as { readonly userLimits?: UserLimits };
  const soft = userLimits?.open_files?.soft;
  return typeof soft === 'number' ? soft : undefined;
}

/**
 * Half of the files that the node does not need itself; the other half is for incoming connections.
 * @param most open files; undefined: without a limit
 */
export function mostOutgoing(most: number | undefined): number {
  if (most === undefined) return Number.POSITIVE_INFINITY;
  return Math.max(LEAST_OUTGOING, Math.floor((most - OWN_FILES) / 2));
}

/** Below this, a node with a few hundred data streams has too few. */
const FEW_FILES = 1_024;

export function warnOfFewFiles(most: number | undefined, logger: Pick<Logger, 'warn'>): void {
  if (most === undefined || most >= FEW_FILES) return;
  const outgoing = mostOutgoing(most);
  logger.warn(
    { event: 'node.few_open_files', openFiles: most, outgoing },
    `this process may have ${most} files open, so there are at most ${outgoing} connections to receivers at a time: ` +
      'raise the limit (ulimit -n, LimitNOFILE of systemd, ulimits of a container)',
  );
}
