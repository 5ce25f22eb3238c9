import { Anchor, Button, Paper, Stack, Text, Title } from '@mantine/core';
import { useState } from 'react';
import { linkTo } from '../lib/address.ts';
import { api, type DataStream, read } from '../lib/api.ts';
import { describeDelivery } from '../lib/delivery.ts';
import { describeFilters } from '../lib/filters.ts';
import { formatCount, UNKNOWN } from '../lib/format.ts';
import { describePrivacy } from '../lib/privacy.ts';
import { useRead } from '../lib/query.ts';
import { useConnectionTypes, useEventTypes } from '../lib/reads.ts';
import { lastRange, type ReplayDraft } from '../lib/replays.ts';
import type { CredentialSchema } from '../lib/schema.ts';
import { useSession } from '../lib/session.ts';
import { kindOfRecords, RECORDS_IN_WORDS } from '../lib/streams.ts';
import { visible } from '../lib/text.ts';
import { DataTable } from '../parts/data-table.tsx';
import { Reading } from '../parts/reading.tsx';
import { Ago, Copy, Fact, Message, Time } from '../parts/show.tsx';
import { Charts } from './charts.tsx';
import { ReplayForm } from './replay-form.tsx';
import { Replays } from './replays.tsx';

export function Overview({ stream }: { readonly stream: DataStream }) {
  const { progress, last_error, expired_hours } = stream;
  return (
    <Stack gap="lg">
      <Paper withBorder p="md">
        <dl className="facts">
          <Fact name="Delivered">{formatCount(progress.delivered)}</Fact>
          <Fact name="Pending">{formatCount(progress.pending)}</Fact>
          <Fact name="Oldest pending">
            <Ago at={progress.oldest_pending_at} />
          </Fact>
          <Fact name="Last delivery">
            <Ago at={progress.last_delivered_at} />
          </Fact>
          <Fact name="Filtered out">{formatCount(progress.filtered)}</Fact>
          <Fact name="Quarantined">{formatCount(progress.quarantined)}</Fact>
          <Fact name="Expired">{formatCount(progress.expired)}</Fact>
        </dl>
        {last_error && (
          <Text mt="sm" size="sm" className="wrap">
            Last error: <Message text={last_error.message} /> (<Time at={last_error.at} />)
          </Text>
        )}
        {expired_hours.length > 0 && (
          <Text mt="sm" size="sm" component="div">
            Records that expired before they could be delivered, by the hour in which they arrived:{' '}
            {expired_hours.map(({ hour, records }) => (
              <span key={hour}>
                <Time at={hour} />: {formatCount(records)}.{' '}
              </span>
            ))}
          </Text>
        )}
      </Paper>
      <Activity stream={stream} />
      <Setup stream={stream} />
      <History id={stream.id} />
    </Stack>
  );
}

/** The charts, and on them the range of records that are to be delivered again. */
function Activity({ stream }: { readonly stream: DataStream }) {
  const { canWrite } = useSession();
  const [draft, setDraft] = useState<ReplayDraft>();
  const open = (range: Pick<ReplayDraft, 'from' | 'until'>) =>
    setDraft({ pace: '', choice: { which: 'all' }, ...draft, ...range });
  return (
    <>
      <Replays stream={stream} />
      <Charts
        id={stream.id}
        mark={canWrite ? open : undefined}
        marked={draft}
        action={
          canWrite && !draft ? (
            <Button size="xs" variant="default" onClick={() => open(lastRange(3600, Date.now()))}>
              Deliver records again
            </Button>
          ) : null
        }
      >
        {draft && (
          <ReplayForm stream={stream} draft={draft} change={setDraft} close={() => setDraft(undefined)} />
        )}
      </Charts>
    </>
  );
}

function Setup({ stream }: { readonly stream: DataStream }) {
  const types = useEventTypes();
  const connectionTypes = useConnectionTypes();
  const type = connectionTypes.data?.find(({ id }) => id === stream.destination.connection_type);
  const schema = type?.schema as CredentialSchema | undefined;
  const nameOf = (type: number) => types.data?.find(({ id }) => id === type)?.description ?? `Type ${type}`;
  const { destination, data_stream_type, relation_resolution } = stream;
  const filters = describeFilters(stream.filters, nameOf, RECORDS_IN_WORDS[kindOfRecords(stream)]);
  return (
    <Paper withBorder p="md" component="section" aria-label="Configuration">
      <Title order={2} size="h4" mb="sm">
        Configuration
      </Title>
      <dl className="facts wide">
        <Fact name="Id">
          <span style={{ display: 'inline-flex', alignItems: 'center', gap: 8 }}>
            <code>{stream.id}</code>
            <Copy text={stream.id} label="Copy the id" />
          </span>
        </Fact>
        <Fact name="Source">{data_stream_type.description}</Fact>
        <Fact name="Filter">{filters}</Fact>
        <Fact name="Organisations">{relation_resolution.description}</Fact>
        <Fact name="Destination">
          {type?.description ?? destination.connection_type}, {destination.format}
        </Fact>
        {Object.entries(destination.credentials).map(([name, value]) => (
          <Fact key={name} name={schema?.properties[name]?.title ?? name}>
            <bdi>{visible(Array.isArray(value) ? value.join(', ') : String(value))}</bdi>
          </Fact>
        ))}
        <Fact name="Order and pace">{describeDelivery(stream.delivery)}</Fact>
        <Fact name="In Error">{stream.auto_restart ? 'Restarts by itself' : 'Waits for a restart'}</Fact>
        <Fact name="Privacy">{describePrivacy(stream.privacy)}</Fact>
        {stream.continue_from !== undefined && (
          <Fact name="Took over from">
            <Anchor {...linkTo(`/data-streams/${stream.continue_from}`)}>{stream.continue_from}</Anchor>
          </Fact>
        )}
        <Fact name="Created">
          <Time at={stream.created} />
        </Fact>
        <Fact name="Changed">
          <Time at={stream.modified} />
        </Fact>
      </dl>
    </Paper>
  );
}

function History({ id }: { readonly id: string }) {
  const history = useRead(
    ['history', id],
    (signal) => read(api.GET('/api/v2/data_stream/{id}/history', { params: { path: { id } }, signal })),
    5000,
  );
  return (
    <Paper withBorder p="md" component="section" aria-label="State history">
      <Title order={2} size="h4" mb="sm">
        State history
      </Title>
      <Reading of={history} what="the history">
        {(changes) =>
          changes.length === 0 ? (
            <Text>{UNKNOWN}</Text>
          ) : (
            <DataTable
              label="Changes of state"
              rows={changes}
              keyOf={({ at, message }) => `${at} ${message}`}
              columns={[
                { name: 'When', cell: ({ at }) => <Time at={at} /> },
                { name: 'State', words: true, cell: ({ status }) => status.description },
                { name: 'What happened', cell: ({ message }) => <Message text={message} /> },
                { name: 'By', cell: ({ actor }) => <bdi>{nameOfActor(actor)}</bdi> },
              ]}
            />
          )
        }
      </Reading>
    </Paper>
  );
}

const nameOfActor = (actor: string) =>
  visible(actor.replace(/^user:/, '').replace(/^application:/, 'token '));
