import { Select, Stack, Text, TextInput } from '@mantine/core';
import { formatDuration, formatUtc, zoneName } from '../lib/format.ts';
import { usePlatform } from '../lib/reads.ts';
import { fromLocalInput, LASTS, type Start, startFrom, toLocalInput } from '../lib/start.ts';

/** Where a new stream begins. */
export function StartForm({
  start,
  change,
  fault,
}: {
  readonly start: Start;
  readonly change: (start: Start) => void;
  readonly fault: string | undefined;
}) {
  const { data: platform } = usePlatform();
  const kept = platform?.retention_seconds ?? Number.POSITIVE_INFINITY;
  const lasts = LASTS.filter((seconds) => seconds < kept);
  const chosen = start.from === 'last' ? String(start.seconds) : start.from;
  const select = (value: string | null) => {
    if (value === 'now' || value === 'all') change({ from: value });
    else if (value === 'time') change({ from: 'time', at: startFrom(start, Date.now(), 0) ?? '' });
    else change({ from: 'last', seconds: Number(value) });
  };
  return (
    <Stack gap="xs">
      <Select
        label="Begin with"
        data={[
          { value: 'now', label: 'Records that arrive from now on' },
          ...lasts.map((seconds) => ({
            value: String(seconds),
            label: `Records of the last ${formatDuration(seconds * 1000)}`,
          })),
          { value: 'all', label: allLabel(platform?.retention_seconds) },
          { value: 'time', label: 'Records since a time' },
        ]}
        value={chosen}
        allowDeselect={false}
        onChange={select}
        error={start.from === 'time' ? null : (fault ?? null)}
      />
      {start.from === 'time' && (
        <>
          <TextInput
            label="Since"
            type="datetime-local"
            value={toLocalInput(start.at)}
            error={fault ?? null}
            onChange={(event) => change({ from: 'time', at: fromLocalInput(event.currentTarget.value) })}
          />
          {start.at !== '' && (
            <Text size="sm" c="dimmed">
              In your time zone, {zoneName()}; that is {formatUtc(start.at)}.
            </Text>
          )}
        </>
      )}
    </Stack>
  );
}

function allLabel(seconds: number | undefined): string {
  return seconds === undefined
    ? 'All records that are kept'
    : `All records that are kept, ${formatDuration(seconds * 1000)}`;
}
