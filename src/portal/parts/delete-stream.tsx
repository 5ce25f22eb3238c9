import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import type { DataStream } from '../lib/api.ts';
import { formatCount } from '../lib/format.ts';
import { streamName } from './status.tsx';
import { deleteStream } from './stream-actions.ts';

/** Asks before a stream is deleted: which one, and what is lost with it. */
export function DeleteStream({
  stream,
  close,
  deleted,
}: {
  readonly stream: DataStream | undefined;
  readonly close: () => void;
  readonly deleted: () => void;
}) {
  const [busy, setBusy] = useState(false);
  const remove = async () => {
    if (!stream) return;
    setBusy(true);
    const done = await deleteStream(stream);
    setBusy(false);
    if (!done) return;
    close();
    deleted();
  };
  return (
    <Modal
      opened={stream !== undefined}
      onClose={close}
      title="Delete data stream?"
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      {stream && (
        <Stack>
          <Text className="wrap">
            <strong>{streamName(stream)}</strong> to {stream.destination.target} will be deleted for good.
          </Text>
          <Text>{lossOf(stream)}</Text>
          <Group justify="flex-end">
            <Button variant="default" onClick={close} data-autofocus>
              Keep it
            </Button>
            <Button color="red.9" loading={busy} onClick={remove}>
              Delete
            </Button>
          </Group>
        </Stack>
      )}
    </Modal>
  );
}

function lossOf({ progress }: DataStream): string {
  const lost = [
    ...(progress.pending > 0
      ? [`${formatCount(progress.pending)} records that wait are never delivered`]
      : []),
    ...(progress.quarantined > 0
      ? [`${formatCount(progress.quarantined)} records in quarantine are gone`]
      : []),
    'its place, its history and its counters are forgotten',
  ];
  return `What is lost: ${lost.join('; ')}. What was delivered stays at the destination.`;
}
