import { Button, Group, Stack, Text, TextInput, Title } from '@mantine/core';
import { memo, useCallback, useDeferredValue, useMemo, useRef, useState } from 'react';
import { api, type DataStream, read } from '../lib/api.ts';
import { formatCount } from '../lib/format.ts';
import { usePolling } from '../lib/polling.ts';
import { linkTo } from '../lib/router.ts';
import { sameAsBefore } from '../lib/same.ts';
import { useSession } from '../lib/session.ts';
import { DeleteStream } from '../parts/delete-stream.tsx';
import { NearItem } from '../parts/near.tsx';
import { Failed, Loading } from '../parts/show.tsx';
import { streamName } from '../parts/status.tsx';
import { type CardProps, StreamCard } from '../parts/stream-card.tsx';
import { Tiles } from '../parts/tiles.tsx';

/** One cheap call: a list of a hundred streams is 70 KiB from this node's memory. Longer lists are read less often. */
const REFRESH = 2000;
const REFRESH_PER_STREAM = 5;
/** Of a card that was not drawn yet, px. */
const CARD_HEIGHT = 178;
/** From this many on there is a field to search them. */
const SEARCHABLE = 5;

export function Streams() {
  const { canWrite } = useSession();
  const known = useRef<readonly DataStream[]>([]);
  const [refresh, setRefresh] = useState(REFRESH);
  const readStreams = async () => {
    // A stream that has not changed stays the same object, and is not drawn again.
    known.current = sameAsBefore(known.current, await read(api.GET('/api/v2/data_stream')));
    setRefresh(Math.max(REFRESH, known.current.length * REFRESH_PER_STREAM));
    return known.current;
  };
  const streams = usePolling('streams', readStreams, refresh);
  const types = usePolling('types', () => read(api.GET('/api/v2/data_stream/connection_type')));
  const [doomed, setDoomed] = useState<DataStream>();
  const [search, setSearch] = useState('');
  const wanted = useDeferredValue(search.trim().toLowerCase());

  const { reload } = streams;
  const names = useMemo(() => new Map(types.data?.map((type) => [type.id, type])), [types.data]);
  const typeName = useCallback(
    ({ destination: { connection_type } }: DataStream) =>
      names.get(connection_type)?.description ?? connection_type,
    [names],
  );
  const shown = useMemo(
    () => (streams.data ?? []).filter((stream) => matches(stream, typeName(stream), wanted)),
    [streams.data, typeName, wanted],
  );

  const problem = types.problem ?? streams.problem;
  if (!streams.data || !types.data) {
    const retry = () => void Promise.all([types.reload(), streams.reload()]);
    return (
      <Stack>
        <Title order={1}>Data Streams</Title>
        {problem ? <Failed problem={problem} retry={retry} /> : <Loading what="data streams" />}
      </Stack>
    );
  }
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
              <Row
                key={stream.id}
                stream={stream}
                typeName={typeName(stream)}
                icon={names.get(stream.destination.connection_type)?.icon}
                changed={reload}
                remove={setDoomed}
              />
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

function matches(stream: DataStream, typeName: string, wanted: string): boolean {
  return [streamName(stream), stream.id, typeName, stream.destination.target, stream.status.description]
    .join(' ')
    .toLowerCase()
    .includes(wanted);
}

/** A card near the window; elsewhere its link, which the keyboard, a screen reader and the browser's search find. */
const Row = memo((card: CardProps) => (
  <NearItem
    height={CARD_HEIGHT}
    instead={
      <article aria-label={streamName(card.stream)}>
        <a {...linkTo(`/data-streams/${card.stream.id}`)}>{streamName(card.stream)}</a>
      </article>
    }
  >
    {() => <StreamCard {...card} />}
  </NearItem>
));
