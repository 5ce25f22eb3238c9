import type { Logger } from 'pino';
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Clock } from '../lib/clock.ts';
import { systemClock } from '../lib/system-clock.ts';
import { events } from './events.ts';
import { createMetrics } from './metrics.ts';
import { RepeatedLines } from './repeated-lines.ts';
import type { Events, ObservedGauge, Telemetry } from './telemetry.ts';

interface TelemetryOptions {
  readonly logger: Logger;
  readonly version: string;
  /** Event-loop lag, memory, garbage collection. false in tests, whose clock their timers would disturb. */
  readonly processMetrics?: boolean;
  /** By which repeated lines are summed up; by default the system's. */
  readonly clock?: Pick<Clock, 'monotonic'>;
}

export function createTelemetry(options: TelemetryOptions): Telemetry {
  const { logger, clock = systemClock } = options;
  const registry = new Registry();
  if (options.processMetrics ?? true) collectProcessMetrics(registry);
  const metrics = createMetrics(registry, options.version);
  return {
    ...guardAll(events(metrics, logger, new RepeatedLines(logger, clock)), (name, error) => {
      metrics.telemetryFaults.inc();
      logger.error({ err: error, event: name }, 'telemetry failed');
    }),
    observe: (gauge) => observe(registry, gauge),
    metrics: () => registry.metrics(),
    metricsContentType: registry.contentType,
  };
}

/** Those of prom-client, without gauges that have the name of a counter: by convention only counters end in `_total`. */
function collectProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry });
  for (const { name, type } of registry.getMetricsAsArray()) {
    if (String(type) === 'gauge' && name.endsWith('_total')) registry.removeSingleMetric(name);
  }
}

function guardAll(functions: Events, failed: (name: string, error: unknown) => void): Events {
  const guarded = Object.entries(functions).map(([name, report]) => [
    name,
    (event: never) => {
      try {
        (report as (event: never) => void)(event);
      } catch (error) {
        // A fault of telemetry must not change the work of the node.
        try {
          failed(name, error);
        } catch {
          // The log itself is broken, so nothing can report the fault.
        }
      }
    },
  ]);
  return Object.fromEntries(guarded) as Events;
}

function observe(registry: Registry, { name, help, label, read }: ObservedGauge): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    labelNames: label === undefined ? [] : [label],
    async collect() {
      try {
        const values = await read();
        if (typeof values === 'number') return this.set(values);
        this.reset();
        for (const [value, amount] of Object.entries(values)) this.set({ [label ?? 'value']: value }, amount);
      } catch {
        // A gauge that cannot be read is left out of this answer.
        this.reset();
      }
    },
  });
}
