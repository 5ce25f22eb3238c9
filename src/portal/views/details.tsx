import { Anchor, Button, Group, Stack, Switch, Tabs, Text } from '@mantine/core';
import { useState } from 'react';
import { Attempts } from '../details/attempts.tsx';
import { Ledger } from '../details/ledger.tsx';
import { Overview } from '../details/overview.tsx';
import { Quarantine } from '../details/quarantine.tsx';
import { Settings } from '../details/settings.tsx';
import { Tail } from '../details/tail.tsx';
import { linkTo, navigate, useAddress, useStillHere } from '../lib/address.ts';
import { api, type DataStream, read } from '../lib/api.ts';
import { formatCount, formatNumberOf } from '../lib/format.ts';
import { useRead } from '../lib/query.ts';
import { HOME } from '../lib/router.ts';
import { useSession } from '../lib/session.ts';
import { STATUS, streamName } from '../lib/streams.ts';
import { DeleteStream } from '../parts/delete-stream.tsx';
import { Heading } from '../parts/heading.tsx';
import { Ago, Failed, In, Loading, Message } from '../parts/show.tsx';
import { nextStep, StatusChip } from '../parts/status.tsx';
import { restartStream, switchStream } from '../parts/stream-actions.ts';
import { TestRecordButton, TestRecordResult, useTestRecord } from '../parts/synthetic-record.tsx';

const REFRESH = 2000;
const TABS = ['overview', 'attempts', 'tail', 'quarantine', 'ledger', 'settings'] as const;
type Tab = (typeof TABS)[number];

/** One data stream: its state, its deliveries and its settings. */
export default function Details({ id }: { readonly id: string }) {
  const { canWrite } = useSession();
  const { searchParams } = useAddress();
  const stillHere = useStillHere();
  const stream = useRead(
    ['stream', id],
    (signal) => read(api.GET('/api/v2/data_stream/{id}', { params: { path: { id } }, signal })),
    REFRESH,
  );
  const given = searchParams.get('tab');
  // Only users who may change settings see them.
  const tab: Tab = TABS.find((each) => each === given && (canWrite || each !== 'settings')) ?? 'overview';
  const show = (next: string | null) =>
    navigate(next === 'overview' ? `/data-streams/${id}` : `/data-streams/${id}?tab=${next}`, {
      replace: true,
    });

  if (stream.problem?.status === 404) {
    return (
      <Stack>
        <Back />
        <Heading title={`Data stream ${id}`} />
        <Failed problem={stream.problem} title="The data stream cannot be shown" />
        <Text>It may have been deleted, or the address may be mistyped.</Text>
        <Anchor {...linkTo(HOME)}>Go to the data streams</Anchor>
      </Stack>
    );
  }
  if (!stream.data) {
    return (
      <Stack>
        <Back />
        <Heading title={`Data stream ${id}`} />
        {stream.problem ? (
          <Failed
            problem={stream.problem}
            title="The data stream cannot be shown"
            retry={() => void stream.reload()}
          />
        ) : (
          <Loading what="the data stream" retry={stream.reload} />
        )}
      </Stack>
    );
  }
  const { data } = stream;
  const { quarantined } = data.progress;
  return (
    <Stack>
      <div>
        <Back />
        <Head
          stream={data}
          canWrite={canWrite}
          deleted={() => {
            if (stillHere()) navigate(HOME);
          }}
        />
      </div>
      {stream.problem && stream.problem.status !== 429 && (
        <Failed problem={stream.problem} title="This view is not up to date" />
      )}
      <Tabs value={tab} onChange={show} keepMounted={false}>
        <Tabs.List mb="md" aria-label="Of this data stream">
          <Tabs.Tab value="overview">Overview</Tabs.Tab>
          <Tabs.Tab value="attempts">Attempts</Tabs.Tab>
          <Tabs.Tab value="tail">Live tail</Tabs.Tab>
          <Tabs.Tab value="quarantine">
            Quarantine{quarantined > 0 ? ` (${formatCount(quarantined)})` : ''}
          </Tabs.Tab>
          <Tabs.Tab value="ledger">Ledger</Tabs.Tab>
          {canWrite && <Tabs.Tab value="settings">Settings</Tabs.Tab>}
        </Tabs.List>
        <Tabs.Panel value="overview">
          <Overview stream={data} />
        </Tabs.Panel>
        <Tabs.Panel value="attempts">
          <Attempts stream={data} />
        </Tabs.Panel>
        <Tabs.Panel value="tail">
          <Tail id={id} />
        </Tabs.Panel>
        <Tabs.Panel value="quarantine">
          <Quarantine id={id} name={streamName(data)} />
        </Tabs.Panel>
        <Tabs.Panel value="ledger">
          <Ledger stream={data} />
        </Tabs.Panel>
        {canWrite && (
          <Tabs.Panel value="settings">
            <Settings key={id} stream={data} />
          </Tabs.Panel>
        )}
      </Tabs>
    </Stack>
  );
}

function Back() {
  return (
    <Anchor size="sm" className="back" {...linkTo(HOME)}>
      Data Streams
    </Anchor>
  );
}

function Head({
  stream,
  canWrite,
  deleted,
}: {
  readonly stream: DataStream;
  readonly canWrite: boolean;
  readonly deleted: () => void;
}) {
  const [doomed, setDoomed] = useState(false);
  const [wanted, setWanted] = useState<boolean>();
  const [restarting, setRestarting] = useState(false);
  const test = useTestRecord(stream);
  const { status, retrying } = stream;
  const next = nextStep(stream);
  const on = wanted ?? status.id !== STATUS.paused;
  return (
    <Stack gap="xs">
      <Group justify="space-between">
        <Group gap="sm">
          <Heading title={streamName(stream)} />
          <StatusChip stream={stream} />
        </Group>
        <Group gap="xs">
          <Switch
            label={on ? 'On' : 'Off'}
            aria-label="The data stream is on"
            checked={on}
            disabled={!canWrite || wanted !== undefined || stream.taken_over_by !== undefined}
            onChange={async (event) => {
              const checked = event.currentTarget.checked;
              setWanted(checked);
              await switchStream(stream, checked);
              setWanted(undefined);
            }}
          />
          {canWrite && (status.id === STATUS.error || (retrying && status.id === STATUS.running)) && (
            <Button
              size="xs"
              loading={restarting}
              onClick={async () => {
                setRestarting(true);
                await restartStream(stream, status.id !== STATUS.error);
                setRestarting(false);
              }}
            >
              {status.id === STATUS.error ? 'Restart' : 'Try now'}
            </Button>
          )}
          {canWrite && <TestRecordButton test={test} />}
          {canWrite && (
            <Button size="xs" variant="default" onClick={() => setDoomed(true)}>
              Delete
            </Button>
          )}
        </Group>
      </Group>
      <Text className="wrap" {...(retrying ? { c: 'var(--mantine-color-error)' } : {})}>
        <Message text={status.message} />{' '}
        {!retrying && (
          <Text span c="dimmed" size="sm">
            (<Ago at={status.since} />)
          </Text>
        )}
      </Text>
      {retrying && (
        <Text className="wrap">
          The first failure was <Ago at={retrying.since} />, {formatNumberOf(retrying.tries, 'try', 'tries')}{' '}
          so far.
          {retrying.next_at !== null && (
            <>
              {' '}
              Next try <In at={retrying.next_at} />.
            </>
          )}
        </Text>
      )}
      {next && <Text>{next}</Text>}
      {stream.taken_over_by !== undefined && (
        <Text>
          Data stream{' '}
          <Anchor {...linkTo(`/data-streams/${stream.taken_over_by}`)}>{stream.taken_over_by}</Anchor> took
          over where this one ended.
        </Text>
      )}
      <TestRecordResult test={test} />
      <DeleteStream stream={doomed ? stream : undefined} close={() => setDoomed(false)} deleted={deleted} />
    </Stack>
  );
}
