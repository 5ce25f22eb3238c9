import { Button, Group, Stack, Text, TextInput } from '@mantine/core';
import { memo, useCallback, useDeferredValue, useMemo, useState } from 'react';
import { linkTo, router, useAddress } from '../lib/address.ts';
import type { ConnectionType, DataStream } from '../lib/api.ts';
import { formatCount } from '../lib/format.ts';
import { useConnectionTypes, useStreams } from '../lib/reads.ts';
import { HOME } from '../lib/router.ts';
import { useSession } from '../lib/session.ts';
import { arrange, countKinds, KIND_NAMES, KINDS, type StreamKind, streamName } from '../lib/streams.ts';
import { DeleteStream } from '../parts/delete-stream.tsx';
import { Heading } from '../parts/heading.tsx';
import { NearItem } from '../parts/near.tsx';
import { Failed, Loading } from '../parts/show.tsx';
import { type CardProps, StreamCard } from '../parts/stream-card.tsx';
import { Tiles } from '../parts/tiles.tsx';

/** One cheap call: a list of a hundred streams is 70 KiB from this node's memory. Longer lists are read less often. */
const REFRESH = 2000;
const REFRESH_PER_STREAM = 5;
/** Of a card that was not drawn yet, px. */
const CARD_HEIGHT = 178;
/** From this many streams on, the list has a search field and a choice of states. */
const SEARCHABLE = 5;

export function Streams() {
  const { canWrite } = useSession();
  const streams = useStreams((data) => Math.max(REFRESH, (data?.length ?? 0) * REFRESH_PER_STREAM));
  const types = useConnectionTypes();
  const problem = types.problem ?? streams.problem;
  if (!streams.data || !types.data) {
    const retry = async () => void (await Promise.all([types.reload(), streams.reload()]));
    return (
      <Stack>
        <Heading title="Data Streams" />
        {problem ? (
          <Failed problem={problem} retry={() => void retry()} />
        ) : (
          <Loading what="data streams" retry={retry} />
        )}
      </Stack>
    );
  }
  return (
    <Stack>
      <Group justify="space-between">
        <Heading title="Data Streams" />
        {canWrite && streams.data.length > 0 && (
          <Button component="a" {...linkTo('/data-streams/new')}>
            Add new data stream
          </Button>
        )}
      </Group>
      {streams.problem && streams.problem.status !== 429 && (
        <Failed problem={streams.problem} title="This list is not up to date" />
      )}
      {streams.data.length === 0 ? (
        <>
          <Text>
            {canWrite
              ? 'You have no data streams yet. Choose the destination of your usage records and events.'
              : 'You have no data streams yet. Your role can look at data streams, but not add any.'}
          </Text>
          <Tiles types={types.data} linkOf={linkOfType} />
        </>
      ) : (
        <List streams={streams.data} types={types.data} />
      )}
    </Stack>
  );
}

const linkOfType = (type: string) => `/data-streams/new?type=${encodeURIComponent(type)}`;

function List({
  streams,
  types,
}: {
  readonly streams: readonly DataStream[];
  readonly types: readonly ConnectionType[];
}) {
  const { searchParams } = useAddress();
  const search = searchParams.get('search') ?? '';
  const given = searchParams.get('state');
  const kind = KINDS.find((each) => each === given);
  const [doomed, setDoomed] = useState<DataStream>();
  const wanted = useDeferredValue(search.trim().toLowerCase());
  const known = useMemo(() => new Map(types.map((type) => [type.id, type])), [types]);
  const typeName = useCallback(
    ({ destination: { connection_type } }: DataStream) =>
      known.get(connection_type)?.description ?? connection_type,
    [known],
  );
  const shown = useMemo(
    () => arrange(streams, { kind, isWanted: (stream) => matches(stream, typeName(stream), wanted) }),
    [streams, kind, typeName, wanted],
  );
  const show = (change: { readonly search?: string; readonly state?: StreamKind | undefined }) => {
    const next = { search, state: kind, ...change };
    const query = new URLSearchParams();
    if (next.state) query.set('state', next.state);
    if (next.search) query.set('search', next.search);
    router.amend(query.size > 0 ? `${HOME}?${query}` : HOME);
  };
  return (
    <>
      <Summary streams={streams} chosen={kind} choose={(state) => show({ state })} />
      {streams.length >= SEARCHABLE && (
        <TextInput
          label="Search"
          placeholder="Name, id, type, status or target"
          value={search}
          onChange={(event) => show({ search: event.currentTarget.value })}
          description={`${formatCount(shown.length)} of ${formatCount(streams.length)} data streams`}
        />
      )}
      {shown.length === 0 && (
        <Group>
          <Text>No data stream matches.</Text>
          <Button size="xs" variant="default" onClick={() => show({ search: '', state: undefined })}>
            Show all
          </Button>
        </Group>
      )}
      <ul className="streams">
        {shown.map((stream) => (
          <Row
            key={stream.id}
            stream={stream}
            typeName={typeName(stream)}
            icon={known.get(stream.destination.connection_type)?.icon}
            remove={setDoomed}
          />
        ))}
      </ul>
      <DeleteStream
        stream={doomed}
        close={() => setDoomed(undefined)}
        deleted={() => document.querySelector<HTMLElement>('h1')?.focus()}
      />
    </>
  );
}

/** How many streams are in which state; each count shows these streams alone. */
function Summary({
  streams,
  chosen,
  choose,
}: {
  readonly streams: readonly DataStream[];
  readonly chosen: StreamKind | undefined;
  readonly choose: (kind: StreamKind | undefined) => void;
}) {
  const counts = countKinds(streams);
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for a form
    <div className="summary" role="group" aria-label="Show by state">
      <Button
        size="xs"
        variant={chosen === undefined ? 'filled' : 'default'}
        aria-pressed={chosen === undefined}
        onClick={() => choose(undefined)}
      >
        All {formatCount(streams.length)}
      </Button>
      {KINDS.filter((kind) => counts.has(kind) || kind === chosen).map((kind) => (
        <Button
          key={kind}
          size="xs"
          variant={chosen === kind ? 'filled' : 'default'}
          className={`kind ${kind}`}
          aria-pressed={chosen === kind}
          onClick={() => choose(chosen === kind ? undefined : kind)}
        >
          {formatCount(counts.get(kind) ?? 0)} {KIND_NAMES[kind]}
        </Button>
      ))}
    </div>
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
