import { Button, Group, NumberInput, Paper, Stack, Text, TextInput, Title } from '@mantine/core';
import { useState } from 'react';
import { api, type DataStream, perform, read } from '../lib/api.ts';
import { isValidChoice } from '../lib/filters.ts';
import { formatCount, formatNumberOf, zoneName } from '../lib/format.ts';
import { faultAt, type Problem, restOf } from '../lib/problem.ts';
import { useRead } from '../lib/query.ts';
import { lastRange, type ReplayDraft, replayBody, type TimeRange } from '../lib/replays.ts';
import { useSettled } from '../lib/settled.ts';
import { fromLocalInput, toLocalInput } from '../lib/start.ts';
import { kindOfRecords } from '../lib/streams.ts';
import { visible } from '../lib/text.ts';
import { Confirm } from '../parts/confirm.tsx';
import { FilterForm } from '../parts/filter-form.tsx';
import { Failed, Time } from '../parts/show.tsx';
import { attempt } from '../parts/stream-actions.ts';

const LASTS = [
  { seconds: 3600, label: 'Last hour' },
  { seconds: 86_400, label: 'Last 24 h' },
] as const;
/** The faults that the form shows beside their fields. */
const FIELDS = ['/from', '/until', '/filters', '/max_records_per_second'];

interface Props {
  readonly stream: DataStream;
  readonly draft: ReplayDraft;
  readonly change: (draft: ReplayDraft) => void;
  readonly close: () => void;
}

/** Chooses the records that a stream delivers again, and counts them before anything is sent. */
export function ReplayForm({ stream, draft, change, close }: Props) {
  const [asked, setAsked] = useState(false);
  const [busy, setBusy] = useState(false);
  const count = useCount(stream, draft);
  const set = (range: Partial<ReplayDraft>) => change({ ...draft, ...range });
  const start = async () => {
    setBusy(true);
    const path = `/api/v2/data_stream/${stream.id}/replay`;
    const body = replayBody(draft);
    const params = { path: { id: stream.id } };
    const call = () =>
      perform('POST', path, body, api.POST('/api/v2/data_stream/{id}/replay', { params, body }));
    const done = await attempt('The records are being delivered again.', call, ['replays']);
    setBusy(false);
    setAsked(false);
    if (done) close();
  };
  const rest = restOf(count.problem, FIELDS);
  return (
    <Paper withBorder p="md" mb="md" component="section" aria-label="Deliver records again">
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          setAsked(true);
        }}
      >
        <Stack gap="sm">
          <Title order={3} size="h5">
            Deliver records again
          </Title>
          <Text size="sm">
            Mark a range on the chart of delivered records below, with the mouse, a finger, or Shift and the
            arrow keys. Or give the times. They are times of arrival, in {zoneName()}.
          </Text>
          <Range draft={draft} set={set} problem={count.problem} />
          <details>
            <summary>Only some of these records</summary>
            <Stack gap="sm" mt="xs">
              <FilterForm
                kind={kindOfRecords(stream)}
                choice={draft.choice}
                change={(choice) => set({ choice })}
                problem={count.problem}
              />
              <NumberInput
                label="Records per second, at most"
                description="Empty: as fast as the destination takes them"
                value={draft.pace}
                allowDecimal={false}
                clampBehavior="none"
                hideControls
                maw={420}
                error={faultAt(count.problem, '/max_records_per_second') ?? null}
                onChange={(pace) => set({ pace })}
              />
            </Stack>
          </details>
          {rest && <Failed problem={rest} />}
          <Text role="status" size="sm">
            {count.words}
          </Text>
          <Group gap="xs">
            <Button type="submit" size="xs" disabled={count.records === undefined || count.records === 0}>
              Deliver again…
            </Button>
            <Button size="xs" variant="default" onClick={close}>
              Close
            </Button>
          </Group>
        </Stack>
      </form>
      <Confirm
        opened={asked}
        title="Deliver these records again?"
        keep="Not now"
        act="Deliver again"
        close={() => setAsked(false)}
        run={start}
        busy={busy}
        final={false}
      >
        <Text className="wrap">
          {count.words} They go to <bdi>{visible(stream.destination.target)}</bdi>
          <RangeWords {...draft} />.
        </Text>
        <Text size="sm">
          Records that the receiver already has come a second time, with the same ids. New records are
          delivered meanwhile as always. You can pause and cancel at any time.
        </Text>
      </Confirm>
    </Paper>
  );
}

function Range({
  draft: { from, until },
  set,
  problem,
}: {
  readonly draft: TimeRange;
  readonly set: (range: Partial<TimeRange>) => void;
  readonly problem: Problem | undefined;
}) {
  return (
    <>
      <Group gap="xs">
        {LASTS.map(({ seconds, label }) => (
          <Button key={label} size="xs" variant="default" onClick={() => set(lastRange(seconds, Date.now()))}>
            {label}
          </Button>
        ))}
        <Button size="xs" variant="default" onClick={() => set({ from: '', until: '' })}>
          All kept records
        </Button>
      </Group>
      <Group gap="sm" align="flex-start">
        <TextInput
          label="From"
          description="Empty: the oldest kept record"
          type="datetime-local"
          value={toLocalInput(from)}
          error={faultAt(problem, '/from') ?? null}
          onChange={(event) => set({ from: fromLocalInput(event.currentTarget.value) })}
        />
        <TextInput
          label="Until"
          description="Empty: now"
          type="datetime-local"
          value={toLocalInput(until)}
          error={faultAt(problem, '/until') ?? null}
          onChange={(event) => set({ until: fromLocalInput(event.currentTarget.value) })}
        />
      </Group>
    </>
  );
}

/** A range in words that follow a sentence. */
function RangeWords({ from, until }: TimeRange) {
  return (
    <>
      : those that arrived{' '}
      {from === '' ? (
        'since the oldest kept record'
      ) : (
        <>
          from <Time at={from} />
        </>
      )}{' '}
      {until === '' ? (
        'until now'
      ) : (
        <>
          until <Time at={until} />
        </>
      )}
    </>
  );
}

/** The number of records that the form would deliver, counted by the node whenever the form rests. */
function useCount(stream: DataStream, draft: ReplayDraft) {
  const valid = isValidChoice(draft.choice);
  const body = useSettled(valid ? replayBody(draft) : undefined);
  // A form that is opened anew counts anew, because records came meanwhile.
  const [opened] = useState(() => Date.now());
  const counted = useRead(['replay count', stream.id, opened, body], async (signal) => {
    if (!body) return null;
    const params = { path: { id: stream.id } };
    const call = api.POST('/api/v2/data_stream/{id}/replay', {
      params,
      body: { ...body, dry_run: true },
      signal,
    });
    return (await read(call)) ?? null;
  });
  const isCurrent = valid && JSON.stringify(body) === JSON.stringify(replayBody(draft));
  const data = isCurrent ? (counted.data ?? undefined) : undefined;
  return {
    problem: isCurrent ? counted.problem : undefined,
    records: data?.records,
    words: data ? wordsOf(data) : counted.problem && isCurrent ? '' : 'Counting…',
  };
}

function wordsOf(counted: {
  readonly records: number;
  readonly filtered: number;
  readonly complete: boolean;
}): string {
  const { records, filtered, complete } = counted;
  const most = complete ? '' : 'At least ';
  const words = `${most}${formatNumberOf(records, 'record')} would be delivered.`;
  if (filtered === 0) return words;
  return `${words} ${formatCount(filtered)} of the range ${filtered === 1 ? 'does' : 'do'} not pass the filters.`;
}
