import { Button, Group, NumberInput, Paper, Stack, Text, Title } from '@mantine/core';
import { useState } from 'react';
import { api, type DataStream, perform, read } from '../lib/api.ts';
import { BAD, GOOD, NEUTRAL, RUNNING } from '../lib/colors.ts';
import { formatCount, formatNumberOf } from '../lib/format.ts';
import { useRead } from '../lib/query.ts';
import { FINISHED, MOST_PACE, type PatchReplay, type Replay, replayProgress } from '../lib/replays.ts';
import { useSession } from '../lib/session.ts';
import { STATUS } from '../lib/streams.ts';
import { Chip } from '../parts/chip.tsx';
import { Confirm } from '../parts/confirm.tsx';
import { Failed, Message, Time } from '../parts/show.tsx';
import { attempt } from '../parts/stream-actions.ts';

/** While one runs it is watched; otherwise another person may begin one. */
const REFRESH = { running: 2000, resting: 30_000 };

/** The replays of a stream, each with its progress; nothing where there are none. */
export function Replays({ stream }: { readonly stream: DataStream }) {
  const { id } = stream;
  const replays = useRead(
    ['replays', id],
    (signal) => read(api.GET('/api/v2/data_stream/{id}/replay', { params: { path: { id } }, signal })),
    (data) => (data?.some(({ status }) => status.id !== FINISHED) ? REFRESH.running : REFRESH.resting),
  );
  if (!replays.data) {
    return replays.problem && replays.problem.status !== 429 ? (
      <Failed problem={replays.problem} title="Replays cannot be shown" retry={() => void replays.reload()} />
    ) : null;
  }
  if (replays.data.length === 0) return null;
  return (
    <Paper withBorder p="md" component="section" aria-label="Replays">
      <Stack>
        <Title order={2} size="h4">
          Replays
        </Title>
        {replays.data.map((replay) => (
          <OneReplay key={replay.id} stream={stream} replay={replay} />
        ))}
      </Stack>
    </Paper>
  );
}

const COLORS: Readonly<Record<number, string>> = {
  [STATUS.running]: RUNNING,
  [STATUS.paused]: NEUTRAL,
  [STATUS.error]: BAD,
  [STATUS.pending]: RUNNING,
  [FINISHED]: GOOD,
};

function OneReplay({ stream, replay }: { readonly stream: DataStream; readonly replay: Replay }) {
  const { canWrite } = useSession();
  const [asked, setAsked] = useState(false);
  const { busy, patch, remove } = useActions(stream.id, replay);
  const { status, from, until } = replay;
  const finished = status.id === FINISHED;
  const stopped = status.id === STATUS.paused || status.id === STATUS.error;
  return (
    <article className="replay" aria-label={`Replay ${replay.id}`}>
      <Group gap="sm">
        <Text>
          <Time at={from} /> to <Time at={until} />
        </Text>
        <Chip color={COLORS[status.id] ?? NEUTRAL}>{status.description}</Chip>
      </Group>
      <Figures replay={replay} />
      {!finished && (
        <Text size="sm" className="wrap">
          <Message text={status.message} />
        </Text>
      )}
      {canWrite && (
        <Group gap="xs">
          {/* It goes on with its data stream, not without. */}
          {!finished && stream.status.id !== STATUS.paused && (
            <Button
              size="xs"
              variant="default"
              loading={busy}
              onClick={() =>
                void patch(
                  { status: { id: stopped ? STATUS.running : STATUS.paused } },
                  stopped ? 'The replay goes on.' : 'The replay is paused.',
                )
              }
            >
              {stopped ? 'Go on' : 'Pause'}
            </Button>
          )}
          {!finished && <ChangePace replay={replay} busy={busy} patch={patch} />}
          <Button
            size="xs"
            variant="default"
            disabled={busy}
            onClick={() => (finished ? void remove() : setAsked(true))}
          >
            {finished ? 'Remove from the list' : 'Cancel'}
          </Button>
        </Group>
      )}
      <Confirm
        opened={asked}
        title="Cancel this replay?"
        keep="Continue it"
        act="Cancel the replay"
        close={() => setAsked(false)}
        run={remove}
        busy={busy}
      >
        <Text>
          {formatNumberOf(replay.progress.pending, 'record')} will not be delivered again. What was delivered
          stays at the destination, and the data stream goes on.
        </Text>
      </Confirm>
    </article>
  );
}

/** Another pace for the remaining records. */
function ChangePace({
  replay,
  busy,
  patch,
}: {
  readonly replay: Replay;
  readonly busy: boolean;
  readonly patch: (body: PatchReplay, done: string) => Promise<void>;
}) {
  const [opened, setOpened] = useState(false);
  const [pace, setPace] = useState<number | string>('');
  const wanted = Number(pace);
  const fault =
    pace === '' || (Number.isInteger(wanted) && wanted >= 1 && wanted <= MOST_PACE)
      ? null
      : `Give a whole number from 1 to ${formatCount(MOST_PACE)}`;
  return (
    <>
      <Button
        size="xs"
        variant="default"
        disabled={busy}
        onClick={() => {
          setPace(replay.max_records_per_second ?? '');
          setOpened(true);
        }}
      >
        Change pace
      </Button>
      <Confirm
        opened={opened}
        title="Change the pace of this replay"
        keep="Cancel"
        act="Save pace"
        close={() => setOpened(false)}
        busy={busy}
        final={false}
        run={async () => {
          if (fault !== null) return;
          await patch(
            { max_records_per_second: pace === '' ? null : wanted },
            'The pace of the replay is changed.',
          );
          setOpened(false);
        }}
      >
        <NumberInput
          label="Records per second, at most"
          description="Empty: as fast as the destination takes them. The pace applies at once to all remaining records, and does not slow down the live flow."
          value={pace}
          allowDecimal={false}
          clampBehavior="none"
          hideControls
          error={fault}
          onChange={setPace}
        />
      </Confirm>
    </>
  );
}

function Figures({ replay }: { readonly replay: Replay }) {
  const { done, all } = replayProgress(replay);
  const { delivered, filtered, quarantined, expired } = replay.progress;
  const pace = replay.max_records_per_second;
  const parts = [
    `${formatCount(delivered)} delivered`,
    filtered > 0 && `${formatCount(filtered)} did not pass the filters`,
    quarantined > 0 && `${formatCount(quarantined)} quarantined`,
    expired > 0 && `${formatCount(expired)} expired`,
  ];
  return (
    <>
      <progress
        aria-label={`Progress of replay ${replay.id}`}
        {...(all > 0 || replay.status.id === FINISHED
          ? { max: Math.max(all, 1), value: all > 0 ? done : 1 }
          : {})}
      />
      <Text size="sm" c="dimmed">
        {formatCount(done)} of {formatNumberOf(all, 'record')}: {parts.filter(Boolean).join(', ')}.
        {pace !== null && ` At most ${formatCount(pace)} a second.`}
      </Text>
    </>
  );
}

function useActions(stream: string, replay: Replay) {
  const [busy, setBusy] = useState(false);
  const path = `/api/v2/data_stream/${stream}/replay/${replay.id}`;
  const params = { path: { id: stream, replay_id: replay.id } };
  const run = async (done: string, call: Parameters<typeof attempt>[1]) => {
    setBusy(true);
    await attempt(done, call, ['replays']);
    setBusy(false);
  };
  return {
    busy,
    patch: (body: PatchReplay, done: string) =>
      run(done, () =>
        perform(
          'PATCH',
          path,
          body,
          api.PATCH('/api/v2/data_stream/{id}/replay/{replay_id}', { params, body }),
        ),
      ),
    remove: () =>
      run(
        replay.status.id === FINISHED ? 'The replay is removed from the list.' : 'The replay is cancelled.',
        () =>
          perform(
            'DELETE',
            path,
            undefined,
            api.DELETE('/api/v2/data_stream/{id}/replay/{replay_id}', { params }),
          ),
      ),
  };
}
