import type { DataStream } from '../lib/api.ts';
import { BAD, GOOD, NEUTRAL, POOR, RUNNING } from '../lib/colors.ts';
import { formatCount } from '../lib/format.ts';
import { kindOf, STATUS, type StreamKind } from '../lib/streams.ts';
import { Chip } from './chip.tsx';

const COLORS: Readonly<Record<StreamKind, string>> = {
  error: BAD,
  retrying: POOR,
  quarantined: POOR,
  pending: RUNNING,
  running: GOOD,
  paused: NEUTRAL,
};

/** The state of a stream in a word or two, with the counts that need a look. */
export function StatusChip({ stream }: { readonly stream: DataStream }) {
  const { status, retrying, progress } = stream;
  const notes = [
    ...(status.id === STATUS.running && retrying ? ['retrying'] : []),
    ...(progress.quarantined > 0 ? [`${formatCount(progress.quarantined)} quarantined`] : []),
  ];
  return <Chip color={COLORS[kindOf(stream)]}>{[status.description, ...notes].join(', ')}</Chip>;
}

/** The actions of a person. */
export function nextStep(stream: DataStream): string | undefined {
  if (stream.status.id !== STATUS.error) return undefined;
  const fix = 'Fix the cause at the destination, or change the destination in the settings of the stream.';
  return stream.auto_restart
    ? `${fix} The stream tries again by itself; to save the wait, restart the stream. Its records are kept until then.`
    : `${fix} Then restart the stream. Its records are kept until then.`;
}
