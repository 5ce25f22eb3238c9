import type { Scenario } from './scenario.ts';
import { beside } from './scenarios/beside.ts';
import { cluster } from './scenarios/cluster.ts';
import { clusterIdle } from './scenarios/cluster-idle.ts';
import { connectors } from './scenarios/connectors.ts';
import { fanOut } from './scenarios/fan-out.ts';
import { idle } from './scenarios/idle.ts';
import { lanes } from './scenarios/lanes.ts';
import { large } from './scenarios/large.ts';
import { latency } from './scenarios/latency.ts';
import { long } from './scenarios/long.ts';
import { million } from './scenarios/million.ts';
import { noisy } from './scenarios/noisy.ts';
import { organisations } from './scenarios/organisations.ts';
import { preview } from './scenarios/preview.ts';
import { privacy } from './scenarios/privacy.ts';
import { replay } from './scenarios/replay.ts';
import { single } from './scenarios/single.ts';
import { throughput } from './scenarios/throughput.ts';
import { tls } from './scenarios/tls.ts';

/** One line each, in the order in which they run: `latency` first, before other scenarios have filled the disk's buffers. */
export const SCENARIOS: readonly Scenario[] = [
  latency,
  throughput,
  organisations,
  fanOut,
  single,
  lanes,
  tls,
  beside,
  replay,
  privacy,
  preview,
  million,
  large,
  long,
  idle,
  connectors,
  noisy,
  cluster,
  clusterIdle,
];
