import type { Route } from './route.ts';

/** The two sides of a node. Together on one address, or each on its own. */
export type Side = 'all' | 'customers' | 'operator';

/** Served on both sides: what a load balancer or an orchestrator asks for. */
const ON_BOTH: ReadonlySet<string> = new Set(['/healthz', '/readyz']);
/** The operator's, though no token is asked for: whoever scrapes them is let in by the network. */
const PUBLIC_OF_OPERATOR: ReadonlySet<string> = new Set(['/metrics']);

export function isOnSide({ access, path }: Pick<Route, 'access' | 'path'>, side: Side): boolean {
  if (side === 'all' || ON_BOTH.has(path)) return true;
  const operators = access === 'operator' || PUBLIC_OF_OPERATOR.has(path);
  return operators === (side === 'operator');
}
