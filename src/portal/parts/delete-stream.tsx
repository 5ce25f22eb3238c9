import { Text } from '@mantine/core';
import { useState } from 'react';
import type { DataStream } from '../lib/api.ts';
import { formatCount } from '../lib/format.ts';
import { streamName } from '../lib/streams.ts';
import { visible } from '../lib/text.ts';
import { Confirm } from './confirm.tsx';
import { deleteStream } from './stream-actions.ts';

/** Asks before a stream is deleted. It names the stream and the data that is lost with it. */
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
    <Confirm
      opened={stream !== undefined}
      title="Delete data stream?"
      keep="Keep it"
      act="Delete"
      close={close}
      run={remove}
      busy={busy}
    >
      {stream && (
        <>
          <Text className="wrap">
            <strong>
              <bdi>{streamName(stream)}</bdi>
            </strong>{' '}
            to <bdi>{visible(stream.destination.target)}</bdi> will be deleted for good.
          </Text>
          <Text>{lossOf(stream)}</Text>
        </>
      )}
    </Confirm>
  );
}

function lossOf({ progress }: DataStream): string {
  const lost = [
    ...(progress.pending > 0
      ? [`${formatCount(progress.pending)} pending records will not be delivered`]
      : []),
    ...(progress.quarantined > 0
      ? [`${formatCount(progress.quarantined)} quarantined records will be removed`]
      : []),
    'the position, the history and the counters of the stream will be removed',
  ];
  return `What is lost: ${lost.join('; ')}. Records that were delivered stay at the destination.`;
}
