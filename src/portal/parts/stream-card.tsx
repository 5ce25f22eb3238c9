import { Anchor, Button, Group, Paper, Stack, Switch, Text, ThemeIcon, Title } from '@mantine/core';
import { memo, useState } from 'react';
import { linkTo } from '../lib/address.ts';
import type { DataStream } from '../lib/api.ts';
import { formatCount } from '../lib/format.ts';
import { useSession } from '../lib/session.ts';
import { STATUS, streamName } from '../lib/streams.ts';
import { visible } from '../lib/text.ts';
import { Icon } from './icons.tsx';
import { Ago, Fact, Message } from './show.tsx';
import { Sparkline } from './sparkline.tsx';
import { nextStep, StatusChip } from './status.tsx';
import { restartStream, switchStream } from './stream-actions.ts';

export interface CardProps {
  readonly stream: DataStream;
  readonly typeName: string;
  /** Path of the connection type's icon. */
  readonly icon: string | undefined;
  readonly remove: (stream: DataStream) => void;
}

/** One stream of the list. Drawn again only when something of it changed. */
export const StreamCard = memo(({ stream, typeName, icon, remove }: CardProps) => {
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
              <bdi>{name}</bdi>
            </Anchor>
          </Title>
          <StatusChip stream={stream} />
        </Group>
        <Text size="sm" c="dimmed" className="wrap">
          {stream.data_stream_type.description} → {typeName}, <bdi>{visible(stream.destination.target)}</bdi>
        </Text>
        <State stream={stream} />
        {next && <Text size="sm">{next}</Text>}
      </Stack>
      <Sparkline id={stream.id} />
      <Stack gap="sm" style={{ gridColumn: '1 / -1' }}>
        <Figures stream={stream} />
        <Group gap={6}>
          <OnOff stream={stream} disabled={!canWrite} />
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
              onClick={() => void restartStream(stream)}
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

function State({ stream: { status } }: { readonly stream: DataStream }) {
  // The chip says this already.
  if (status.message === `${status.description}.`) return null;
  const bad = status.id === STATUS.error;
  return (
    <Text size="sm" className="wrap" {...(bad ? { c: 'var(--mantine-color-error)' } : {})}>
      <Message text={status.message} />
    </Text>
  );
}

function Figures({ stream }: { readonly stream: DataStream }) {
  const { pending, oldest_pending_at, last_delivered_at, delivered, quarantined } = stream.progress;
  return (
    <dl className="facts">
      <Fact name="Delivered">{formatCount(delivered)}</Fact>
      <Fact name="Pending">{formatCount(pending)}</Fact>
      <Fact name="Oldest pending">
        <Ago at={oldest_pending_at} />
      </Fact>
      <Fact name="Last delivery">
        <Ago at={last_delivered_at} />
      </Fact>
      {quarantined > 0 && (
        <Fact name="Quarantined">
          <Anchor {...linkTo(`/data-streams/${stream.id}?tab=quarantine`)}>{formatCount(quarantined)}</Anchor>
        </Fact>
      )}
    </dl>
  );
}

function OnOff({ stream, disabled }: { readonly stream: DataStream; readonly disabled: boolean }) {
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
        setWanted(undefined);
      }}
    />
  );
}
