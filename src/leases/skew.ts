import { MOST_AHEAD_MS } from './cluster-clock.ts';
import type { NodeView } from './nodes.ts';

/** From here on the difference of two clocks is reported: NTP keeps it far below. */
export const WARN_SKEW_MS = 1_000;
/** With fewer nodes it is unknown which clock is wrong. */
const LEAST_NODES = 3;

/** Whether the clock of the answering node is wrong, judged by the clocks of all present nodes. */
export function clockFaults(nodes: readonly NodeView[]): string[] {
  const skews = nodes
    .flatMap(({ state, skewMs }) => (state === 'silent' || skewMs === undefined ? [] : skewMs))
    .sort((a, b) => a - b);
  const median = skews[Math.floor(skews.length / 2)];
  if (median === undefined || skews.length < LEAST_NODES || Math.abs(median) <= MOST_AHEAD_MS) return [];
  const seconds = Math.round(Math.abs(median) / 1_000);
  const side = median > 0 ? 'behind' : 'ahead of';
  return [
    `the clock of this node is ${seconds} s ${side} the clocks of most nodes: correct it, for example with NTP`,
  ];
}
