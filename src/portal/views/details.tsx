import { Anchor, Button, Group, Stack, Switch, Tabs, Text, Title } from '@mantine/core';
import { useState } from 'react';
import { Attempts } from '../details/attempts.tsx';
import { Overview } from '../details/overview.tsx';
import { Quarantine } from '../details/quarantine.tsx';
import { Settings } from '../details/settings.tsx';
import { Tail } from '../details/tail.tsx';
import { api, type DataStream, read } from '../lib/api.ts';
import { formatCount } from '../lib/format.ts';
import { usePolling } from '../lib/polling.ts';
import { linkTo, navigate, useAddress } from '../lib/router.ts';
import { useSession } from '../lib/session.ts';
import { DeleteStream } from '../parts/delete-stream.tsx';
import { Ago, Failed, Loading } from '../parts/show.tsx';
import { nextStep, STATUS, StatusChip, streamName } from '../parts/status.tsx';
import { restartStream, switchStream } from '../parts/stream-actions.ts';

const REFRESH = 2000;
const TABS = ['overview', 'attempts', 'tail', 'quarantine', 'settings'] as const;
type Tab = (typeof TABS)[number];

/** One data stream: what it is, how it does, what it did, and how to change it. */
export default function Details({ id }: { readonly id: string }) {
  const { canWrite } = useSession();
  const { searchParams } = useAddress();
  const stream = usePolling(
    `stream ${id}`,
    () => read(api.GET('/api/v2/data_stream/{id}', { params: { path: { id } } })),
    REFRESH,
  );
  const given = searchParams.get('tab');
  const tab: Tab = TABS.find((each) => each === given) ?? 'overview';
  const show = (next: string | null) =>
    navigate(next === 'overview' ? `/data-streams/${id}` : `/data-streams/${id}?tab=${next}`, {
      replace: true,
    });

  if (stream.problem?.status === 404 || !stream.data) {
    return (
      <Stack>
        <Back />
        <Title order={1}>Data stream {id}</Title>
        {stream.problem ? (
          <Failed
            problem={stream.problem}
            title="The data stream cannot be shown"
            retry={() => void stream.reload()}
          />
        ) : (
          <Loading what="the data stream" />
        )}
      </Stack>
    );
  }
  const { data } = stream;
  return (
    <Stack>
      <div>
        <Back />
        <Head stream={data} canWrite={canWrite} changed={stream.reload} />
      </div>
      {stream.problem && <Failed problem={stream.problem} title="This view is not up to date" />}
      <Tabs value={tab} onChange={show} keepMounted={false}>
        <Tabs.List mb="md" aria-label="Of this data stream">
          <Tabs.Tab value="overview">Overview</Tabs.Tab>
          <Tabs.Tab value="attempts">Attempts</Tabs.Tab>
          <Tabs.Tab value="tail">Live tail</Tabs.Tab>
          <Tabs.Tab value="quarantine">
            Quarantine{data.progress.quarantined > 0 ? ` (${formatCount(data.progress.quarantined)})` : ''}
          </Tabs.Tab>
          {canWrite && <Tabs.Tab value="settings">Settings</Tabs.Tab>}
        </Tabs.List>
        <Tabs.Panel value="overview">
          <Overview stream={data} />
        </Tabs.Panel>
        <Tabs.Panel value="attempts">
          <Attempts id={id} />
        </Tabs.Panel>
        <Tabs.Panel value="tail">
          <Tail id={id} />
        </Tabs.Panel>
        <Tabs.Panel value="quarantine">
          <Quarantine id={id} name={streamName(data)} changed={stream.reload} />
        </Tabs.Panel>
        {canWrite && (
          <Tabs.Panel value="settings">
            <Settings key={id} stream={data} changed={stream.reload} />
          </Tabs.Panel>
        )}
      </Tabs>
    </Stack>
  );
}

function Back() {
  return (
    <Anchor size="sm" {...linkTo('/data-streams')}>
      Data Streams
    </Anchor>
  );
}

function Head({
  stream,
  canWrite,
  changed,
}: {
  readonly stream: DataStream;
  readonly canWrite: boolean;
  readonly changed: () => Promise<void>;
}) {
  const [doomed, setDoomed] = useState(false);
  const [busy, setBusy] = useState(false);
  const { status, retrying } = stream;
  const next = nextStep(stream);
  const run = async (action: () => Promise<boolean>) => {
    setBusy(true);
    await action();
    await changed();
    setBusy(false);
  };
  return (
    <Stack gap="xs">
      <Group justify="space-between">
        <Group gap="sm">
          <Title order={1} className="wrap">
            {streamName(stream)}
          </Title>
          <StatusChip stream={stream} />
        </Group>
        <Group gap="xs">
          <Switch
            label={status.id === STATUS.paused ? 'Off' : 'On'}
            aria-label="The data stream is on"
            checked={status.id !== STATUS.paused}
            disabled={!canWrite || busy}
            onChange={(event) => {
              const on = event.currentTarget.checked;
              void run(() => switchStream(stream, on));
            }}
          />
          {canWrite && status.id === STATUS.error && (
            <Button size="xs" loading={busy} onClick={() => void run(() => restartStream(stream))}>
              Restart
            </Button>
          )}
          {canWrite && (
            <Button size="xs" variant="default" onClick={() => setDoomed(true)}>
              Delete
            </Button>
          )}
        </Group>
      </Group>
      <Text className="wrap">
        {status.message}{' '}
        <Text span c="dimmed" size="sm">
          (<Ago at={status.since} />)
        </Text>
      </Text>
      {retrying && (
        <Text className="wrap" c="var(--mantine-color-error)">
          Retrying since <Ago at={retrying.since} />, {formatCount(retrying.tries)} tries: {retrying.message}
        </Text>
      )}
      {next && <Text>{next}</Text>}
      <DeleteStream
        stream={doomed ? stream : undefined}
        close={() => setDoomed(false)}
        deleted={() => navigate('/data-streams')}
      />
    </Stack>
  );
}
