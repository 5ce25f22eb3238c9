import { Button, Group, Stack, Text, TextInput, Title } from '@mantine/core';
import { useDeferredValue, useState } from 'react';
import { api, type DataStream, read } from '../lib/api.ts';
import { formatCount } from '../lib/format.ts';
import { usePolling } from '../lib/polling.ts';
import { linkTo } from '../lib/router.ts';
import { useSession } from '../lib/session.ts';
import { DeleteStream } from '../parts/delete-stream.tsx';
import { Failed, Loading } from '../parts/show.tsx';
import { streamName } from '../parts/status.tsx';
import { StreamCard } from '../parts/stream-card.tsx';
import { Tiles } from '../parts/tiles.tsx';

/** One cheap call: a list of a hundred streams is a few dozen KiB from this node's memory. */
const REFRESH = 2000;
/** From this many on there is a field to search them. */
const SEARCHABLE = 5;

export function Streams() {
  const { canWrite } = useSession();
  const streams = usePolling('streams', () => read(api.GET('/api/v2/data_stream')), REFRESH);
  const types = usePolling('types', () => read(api.GET('/api/v2/data_stream/connection_type')));
  const [doomed, setDoomed] = useState<DataStream>();
  const [search, setSearch] = useState('');
  const wanted = useDeferredValue(search.trim().toLowerCase());

  const problem = types.problem ?? streams.problem;
  if (!streams.data || !types.data) {
    const retry = () => void Promise.all([types.reload(), streams.reload()]);
    return problem ? <Failed problem={problem} retry={retry} /> : <Loading what="data streams" />;
  }
  const names = new Map(types.data.map(({ id, description }) => [id, description]));
  const typeName = (stream: DataStream) =>
    names.get(stream.destination.connection_type) ?? stream.destination.connection_type;
  const shown = streams.data.filter((stream) =>
    [streamName(stream), stream.id, typeName(stream), stream.destination.target, stream.status.description]
      .join(' ')
      .toLowerCase()
      .includes(wanted),
  );
  return (
    <Stack>
      <Group justify="space-between">
        <Title order={1}>Data Streams</Title>
        {canWrite && streams.data.length > 0 && (
          <Button component="a" {...linkTo('/data-streams/new')}>
            Add new data stream
          </Button>
        )}
      </Group>
      {streams.problem && <Failed problem={streams.problem} title="This list is not up to date" />}
      {streams.data.length === 0 ? (
        <>
          <Text>
            {canWrite
              ? 'There are no data streams yet. Choose where your usage records and events are to go.'
              : 'There are no data streams yet. Your role may look, and not add any.'}
          </Text>
          <Tiles types={types.data} />
        </>
      ) : (
        <>
          {streams.data.length >= SEARCHABLE && (
            <TextInput
              label="Search"
              placeholder="Name, id, type, status or target"
              value={search}
              onChange={(event) => setSearch(event.currentTarget.value)}
              description={`${formatCount(shown.length)} of ${formatCount(streams.data.length)} data streams`}
            />
          )}
          {shown.length === 0 && <Text>No data stream matches.</Text>}
          <ul className="streams">
            {shown.map((stream) => (
              <li key={stream.id}>
                <StreamCard
                  stream={stream}
                  typeName={typeName(stream)}
                  changed={streams.reload}
                  remove={setDoomed}
                />
              </li>
            ))}
          </ul>
        </>
      )}
      <DeleteStream
        stream={doomed}
        close={() => setDoomed(undefined)}
        deleted={() => void streams.reload()}
      />
    </Stack>
  );
}
