import { Select, Stack, Text, TextInput } from '@mantine/core';
import { formatDuration, formatUtc, zoneName } from '../lib/format.ts';
import { usePlatform, useStreams } from '../lib/reads.ts';
import { fromLocalInput, LASTS, type Start, startFrom, toLocalInput } from '../lib/start.ts';
import { kindOfRecords, type RecordsKind, streamName } from '../lib/streams.ts';

/** Where a new stream begins. */
export function StartForm({
  kind,
  start,
  change,
  fault,
}: {
  readonly kind: RecordsKind;
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
    else if (value === 'stream') change({ from: 'stream', id: '' });
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
          { value: 'stream', label: 'Where another data stream ends' },
        ]}
        value={chosen}
        allowDeselect={false}
        onChange={select}
        error={start.from === 'time' || start.from === 'stream' ? null : (fault ?? null)}
      />
      {start.from === 'stream' && <Predecessor kind={kind} id={start.id} change={change} fault={fault} />}
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

/** The stream that the new one takes over from. */
function Predecessor({
  kind,
  id,
  change,
  fault,
}: {
  readonly kind: RecordsKind;
  readonly id: string;
  readonly change: (start: Start) => void;
  readonly fault: string | undefined;
}) {
  const streams = useStreams();
  const choices = (streams.data ?? []).filter(
    (stream) => kindOfRecords(stream) === kind && stream.taken_over_by === undefined,
  );
  return (
    <>
      <Select
        label="Take over from"
        placeholder={streams.data ? 'Choose a data stream' : 'Loading…'}
        searchable
        data={choices.map((stream) => ({ value: stream.id, label: `${streamName(stream)} (${stream.id})` }))}
        value={id === '' ? null : id}
        allowDeselect={false}
        error={fault ?? streams.problem?.message ?? null}
        nothingFoundMessage="No data stream of this kind"
        onChange={(chosen) => change({ from: 'stream', id: chosen ?? '' })}
      />
      <Text size="sm" c="dimmed">
        That data stream is paused, and the new one goes on exactly where it ends: together they deliver each
        record once. What that one holds in quarantine stays there.
      </Text>
    </>
  );
}

function allLabel(seconds: number | undefined): string {
  return seconds === undefined ? 'All kept records' : `All kept records, ${formatDuration(seconds * 1000)}`;
}
