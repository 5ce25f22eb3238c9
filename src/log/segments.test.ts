import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManualClock } from '../lib/manual-clock.fixture.ts';
import { type Lmdb, openLmdb } from '../storage/lmdb.ts';
import { tamperSegment } from '../storage/segment-damage.fixture.ts';
import { openSegmentFiles, type SegmentFiles } from '../storage/segment-files.ts';
import { testRecordLog } from './log.contract.ts';
import { createSegmentedLog, type SegmentedLog } from './segments.ts';
import { PARTITIONS } from './world.fixture.ts';

/** Files whose writes fail while `failing` says so. */
function failingFiles(files: SegmentFiles, failing: () => boolean): SegmentFiles {
  return {
    ...files,
    create: async (number, zeros) => {
      const writer = await files.create(number, zeros);
      const write: typeof writer.write = (parts, position) =>
        failing() ? Promise.reject(new Error('no space left')) : writer.write(parts, position);
      return { ...writer, write };
    },
  };
}

testRecordLog('segments', {
  create: async () => {
    const clock = new ManualClock();
    const directory = await mkdtemp(join(tmpdir(), 'simstream-log-'));
    let failing = false;
    let opened: { lmdb: Lmdb; segmented: SegmentedLog } | undefined;
    const close = async () => {
      await opened?.segmented.close();
      await opened?.lmdb.close();
      opened = undefined;
    };
    return {
      clock,
      open: async ({ partitions = PARTITIONS, ...options } = {}) => {
        await close();
        const lmdb = await openLmdb(directory, { clock });
        try {
          const files = failingFiles(openSegmentFiles(directory), () => failing);
          const fault = () => {};
          const segmented = await createSegmentedLog(lmdb, { files, partitions, clock, fault, ...options });
          opened = { lmdb, segmented };
          return segmented.log;
        } catch (error) {
          await lmdb.close();
          throw error;
        }
      },
      close,
      destroy: () => rm(directory, { recursive: true }),
      tamper: async (partition, sequence, change) =>
        tamperSegment(directory, PARTITIONS, { partition, sequence }, change),
      failWrites: (fail) => {
        failing = fail;
      },
    };
  },
});
