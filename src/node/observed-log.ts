import type { Clock } from '../lib/clock.ts';
import type { RecordLog } from '../log/log.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';

/** The record log of a node; it also counts stored and removed blocks. */
export function observeLog(
  log: RecordLog,
  telemetry: Pick<Telemetry, 'blockAppended' | 'blocksTrimmed'>,
  clock: Clock,
): RecordLog {
  return {
    ...log,
    append: async (blocks, options) => {
      const begun = clock.monotonic();
      const outcome = await log.append(blocks, options);
      // The blocks of a request become durable together, so each took as long as the request.
      if (outcome.type === 'stored') {
        const durationMs = clock.monotonic() - begun;
        for (const { partition, bytes, block } of blocks)
          telemetry.blockAppended({ partition, records: block.count, bytes: bytes.length, durationMs });
      }
      return outcome;
    },
    trim: async (partition, before) => {
      const { first } = await log.extent(partition);
      await log.trim(partition, before);
      const blocks = (await log.extent(partition)).first - first;
      if (blocks > 0) telemetry.blocksTrimmed({ partition, blocks });
    },
  };
}
