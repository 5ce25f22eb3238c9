import { statfs } from 'node:fs/promises';
import type { StreamDirectory } from '../delivery/partition/stream-directory.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { NodeStorage } from './storage-port.ts';

/** Gauges of the node's storage, read at each request for the metrics. */
export function observeStorage(
  telemetry: Telemetry,
  { storage, dataDir }: { readonly storage: NodeStorage; readonly dataDir: string },
  directory: StreamDirectory,
): void {
  telemetry.observe({
    name: 'simstream_data_streams',
    help: 'Data streams of the installation, as this node knows them',
    read: () => directory.count,
  });
  telemetry.observe({
    name: 'simstream_disk_free_bytes',
    help: 'Bytes that are free on the disk of the data directory',
    read: async () => {
      const { bavail, bsize } = await statfs(dataDir);
      return bavail * bsize;
    },
  });
  telemetry.observe({
    name: 'simstream_log_bytes',
    help: 'Bytes that the record log takes',
    // Without a connection the answer would have to wait for one, and all other metrics with it.
    read: async () => (storage.connected() ? (await storage.log.usage()).bytes : Number.NaN),
  });
}
