import { Button, Group, Paper, Stack, Text, Title } from '@mantine/core';
import { useState } from 'react';
import { api, perform, type QuarantineGroup, read } from '../lib/api.ts';
import { formatCount, formatNumberOf } from '../lib/format.ts';
import { formatJson } from '../lib/json.ts';
import { notify, notifyFailure } from '../lib/notices.ts';
import { change, useRead } from '../lib/query.ts';
import { useSession } from '../lib/session.ts';
import { Confirm } from '../parts/confirm.tsx';
import { Reading } from '../parts/reading.tsx';
import { Code, Message, Time } from '../parts/show.tsx';
import { QuarantinedRecords } from './quarantined-records.tsx';

/** Counting reads the whole quarantine, which changes seldom. */
const REFRESH = 10_000;
/** Records that one call sends again or removes at most. */
const MOST_PER_CALL = 1000;

/** Records that the destination refused for good, with the reasons and the possible actions. */
export function Quarantine({ id, name }: { readonly id: string; readonly name: string }) {
  const { canWrite } = useSession();
  const groups = useRead(
    ['quarantine', id],
    (signal) =>
      read(api.GET('/api/v2/data_stream/{id}/quarantine/group', { params: { path: { id } }, signal })),
    REFRESH,
  );
  return (
    <Reading of={groups} what="the quarantine">
      {(data) =>
        data.groups.length === 0 ? (
          <Text>Nothing here. The destination has taken every record that is still kept.</Text>
        ) : (
          <Stack>
            <Text>
              The destination refused {data.more && 'more than '}
              {formatNumberOf(data.records, 'record')}. They are grouped by the reason.
              {canWrite && ' Fix the cause and send them again, or remove them.'}
            </Text>
            {data.groups.map((group) => (
              <GroupCard key={group.group} id={id} name={name} group={group} />
            ))}
            {data.more && (
              <Text size="sm" c="dimmed">
                There are more records than are counted here; the counts are of the oldest{' '}
                {formatCount(data.records)}.
              </Text>
            )}
          </Stack>
        )
      }
    </Reading>
  );
}

interface GroupProps {
  readonly id: string;
  readonly name: string;
  readonly group: QuarantineGroup;
}

function GroupCard({ id, name, group }: GroupProps) {
  const { canWrite } = useSession();
  const [busy, setBusy] = useState(false);
  const [doomed, setDoomed] = useState(false);
  const [open, setOpen] = useState(false);
  const count = formatNumberOf(group.records, 'record');
  const run = async (what: typeof resend | typeof discard) => {
    setBusy(true);
    try {
      await change(() => what(id, group));
    } catch (error) {
      notifyFailure(error);
    }
    setBusy(false);
    setDoomed(false);
  };
  return (
    <Paper withBorder p="md" component="section" aria-label={`${count}: ${group.message}`}>
      <Stack gap="sm">
        <div>
          <Title order={2} size="h4">
            {count}
            {group.remote_status !== null && `, status ${group.remote_status}`}
          </Title>
          <Text className="wrap">
            <Message text={group.message} />
          </Text>
          <Text size="sm" c="dimmed">
            Quarantined from <Time at={group.first_at} /> to <Time at={group.last_at} />
          </Text>
        </div>
        <details>
          <summary>Example: the newest of these records</summary>
          <Code text={formatJson(group.example.record)} label={`Record ${group.example.id}`} />
        </details>
        <Group gap="xs">
          {canWrite && (
            <Button size="xs" loading={busy} onClick={() => void run(resend)}>
              Send again
            </Button>
          )}
          <Button size="xs" variant="default" aria-expanded={open} onClick={() => setOpen(!open)}>
            {open ? 'Hide records' : 'Show records'}
          </Button>
          {canWrite && (
            <Button size="xs" variant="default" disabled={busy} onClick={() => setDoomed(true)}>
              Remove
            </Button>
          )}
        </Group>
        {open && <QuarantinedRecords id={id} name={name} group={group} />}
      </Stack>
      <Confirm
        opened={doomed}
        title="Remove quarantined records?"
        keep="Keep them"
        act="Remove"
        close={() => setDoomed(false)}
        run={() => run(discard)}
        busy={busy}
      >
        <Text className="wrap">
          {count} will be removed for good, and never delivered: <Message text={group.message} />
        </Text>
      </Confirm>
    </Paper>
  );
}

/** Sends the oldest records of a group again; those that are refused again stay in quarantine. */
async function resend(id: string, { group, records }: QuarantineGroup): Promise<void> {
  const body = { group };
  const call = api.POST('/api/v2/data_stream/{id}/quarantine/resend', { params: { path: { id } }, body });
  const { data, logged } = await perform('POST', `/api/v2/data_stream/${id}/quarantine/resend`, body, call);
  const [first] = data.failed;
  const refused = data.failed.length;
  const left = records - data.delivered - refused;
  const text = [
    data.delivered > 0 &&
      `${formatCount(data.delivered)} ${records === 1 ? 'record was' : 'records were'} delivered.`,
    first && `${formatCount(refused)} ${refused === 1 ? 'was' : 'were'} refused again: ${first.message}`,
    left > 0 && `${formatCount(left)} have not been sent again yet.`,
  ];
  const tone = refused === 0 ? 'done' : data.delivered === 0 ? 'failed' : 'partly';
  notify({ text: text.filter(Boolean).join(' '), tone, call: logged });
}

async function discard(id: string, { group, records }: QuarantineGroup): Promise<void> {
  const body = { group };
  const params = { path: { id } };
  let removed = 0;
  for (;;) {
    const call = api.POST('/api/v2/data_stream/{id}/quarantine/discard', { params, body });
    const { data, logged } = await perform(
      'POST',
      `/api/v2/data_stream/${id}/quarantine/discard`,
      body,
      call,
    );
    removed += data.discarded;
    if (data.discarded < MOST_PER_CALL || removed >= records) {
      const text = `${formatCount(removed)} ${removed === 1 ? 'record was' : 'records were'} removed.`;
      return notify({ text, tone: 'done', call: logged });
    }
  }
}
