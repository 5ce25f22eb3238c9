import type { Route } from './route.ts';

/** The two sides of a node. Together on one address, or each on its own. */
export type Side = 'all' | 'customers' | 'operator';

/** Served on both sides: load balancers and orchestrators ask for them. */
const ON_BOTH: ReadonlySet<string> = new Set(['/healthz', '/readyz']);
/** The operator's side without a token: the network decides which scrapers reach it. */
const PUBLIC_OF_OPERATOR: ReadonlySet<string> = new Set(['/metrics']);

export function isOnSide({ access, path }: Pick<Route, 'access' | 'path'>, side: Side): boolean {
  if (side === 'all' || ON_BOTH.has(path)) return true;
  const operators = access === 'operator' || PUBLIC_OF_OPERATOR.has(path);
  return operators === (side === 'operator');
}
