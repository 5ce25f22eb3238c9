import { Anchor, Button, Group, Paper, Stack, Switch, Text, ThemeIcon, Title } from '@mantine/core';
import { memo, useState } from 'react';
import type { DataStream } from '../lib/api.ts';
import { formatAgo, formatCount } from '../lib/format.ts';
import { useNow } from '../lib/polling.ts';
import { linkTo } from '../lib/router.ts';
import { useSession } from '../lib/session.ts';
import { Icon } from './icons.tsx';
import { Ago, Fact } from './show.tsx';
import { Sparkline } from './sparkline.tsx';
import { nextStep, STATUS, StatusChip, streamName } from './status.tsx';
import { restartStream, switchStream } from './stream-actions.ts';

export interface CardProps {
  readonly stream: DataStream;
  readonly typeName: string;
  readonly icon: string | undefined;
  readonly changed: () => Promise<void>;
  readonly remove: (stream: DataStream) => void;
}

/** One stream of the list. Drawn again only when something of it changed. */
export const StreamCard = memo(({ stream, typeName, icon, changed, remove }: CardProps) => {
  const { canWrite } = useSession();
  const name = streamName(stream);
  const details = `/data-streams/${stream.id}`;
  const next = nextStep(stream);
  return (
    <Paper withBorder p="md" className="stream" component="article" aria-label={name}>
      <ThemeIcon variant="default" size={40} title={typeName}>
        <Icon path={icon} size={24} />
      </ThemeIcon>
      <Stack gap={4}>
        <Group gap="xs">
          <Title order={2} size="h4" className="wrap">
            <Anchor inherit c="inherit" {...linkTo(details)}>
              {name}
            </Anchor>
          </Title>
          <StatusChip stream={stream} />
        </Group>
        <Text size="sm" c="dimmed" className="wrap">
          {stream.data_stream_type.description} → {typeName}, {stream.destination.target}
        </Text>
        <Message stream={stream} />
        {next && <Text size="sm">{next}</Text>}
      </Stack>
      <Sparkline id={stream.id} />
      <Stack gap="sm" style={{ gridColumn: '1 / -1' }}>
        <Waiting stream={stream} />
        <Group gap={6}>
          <OnOff stream={stream} changed={changed} disabled={!canWrite} />
          <div style={{ flex: 1 }} />
          <Button
            component="a"
            variant="default"
            size="xs"
            px="sm"
            {...linkTo(details)}
            aria-label={`Details of ${name}`}
          >
            Details
          </Button>
          {canWrite && stream.status.id === STATUS.error && (
            <Button
              size="xs"
              px="sm"
              aria-label={`Restart ${name}`}
              onClick={async () => {
                await restartStream(stream);
                await changed();
              }}
            >
              Restart
            </Button>
          )}
          {canWrite && (
            <Button
              variant="default"
              size="xs"
              px="sm"
              aria-label={`Delete ${name}`}
              onClick={() => remove(stream)}
            >
              Delete
            </Button>
          )}
        </Group>
      </Stack>
    </Paper>
  );
});

function Message({ stream }: { readonly stream: DataStream }) {
  const bad = stream.status.id === STATUS.error;
  const text = stream.retrying
    ? `Retrying since ${formatAgo(stream.retrying.since, Date.now())}: ${stream.retrying.message}`
    : stream.status.message;
  // What the chip says already need not be said twice.
  if (text === `${stream.status.description}.`) return null;
  return (
    <Text size="sm" className="wrap" {...(bad ? { c: 'var(--mantine-color-error)' } : {})}>
      {text}
    </Text>
  );
}

function Waiting({ stream }: { readonly stream: DataStream }) {
  const now = useNow();
  const { pending, oldest_pending_at, last_delivered_at, delivered, quarantined } = stream.progress;
  return (
    <dl className="facts">
      <Fact name="Delivered">{formatCount(delivered)}</Fact>
      <Fact name="Pending">{formatCount(pending)}</Fact>
      <Fact name="Oldest pending">{formatAgo(oldest_pending_at, now)}</Fact>
      <Fact name="Last delivery">
        <Ago at={last_delivered_at} />
      </Fact>
      {quarantined > 0 && <Fact name="Quarantined">{formatCount(quarantined)}</Fact>}
    </dl>
  );
}

function OnOff({
  stream,
  changed,
  disabled,
}: {
  readonly stream: DataStream;
  readonly changed: () => Promise<void>;
  readonly disabled: boolean;
}) {
  const [wanted, setWanted] = useState<boolean>();
  const on = wanted ?? stream.status.id !== STATUS.paused;
  return (
    <Switch
      checked={on}
      disabled={disabled || wanted !== undefined}
      label={on ? 'On' : 'Off'}
      aria-label={`${streamName(stream)} is on`}
      onChange={async (event) => {
        const next = event.currentTarget.checked;
        setWanted(next);
        await switchStream(stream, next);
        await changed();
        setWanted(undefined);
      }}
    />
  );
}
