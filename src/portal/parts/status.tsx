import { Badge } from '@mantine/core';
import type { DataStream } from '../lib/api.ts';

export const STATUS = { running: 1, paused: 2, error: 3, pending: 4 } as const;
/** Dark enough for white letters. */
const COLORS: Readonly<Record<number, string>> = { 1: '#23782f', 2: '#5b636b', 3: '#c92a2a', 4: '#1862ab' };

export function StatusChip({ stream }: { readonly stream: DataStream }) {
  const { id, description } = stream.status;
  const retrying = id === STATUS.running && stream.retrying !== null;
  return (
    <Badge color={retrying ? '#8f5300' : (COLORS[id] ?? 'gray')} variant="filled" radius="sm" tt="none">
      {retrying ? `${description}, retrying` : description}
    </Badge>
  );
}

/** What a person can do about it. */
export function nextStep(stream: DataStream): string | undefined {
  if (stream.status.id !== STATUS.error) return undefined;
  return 'Mend the cause at the destination, or change it in the settings of the stream, then restart. Records wait meanwhile.';
}

export function streamName(stream: DataStream): string {
  return stream.name || `Data stream ${stream.id}`;
}
