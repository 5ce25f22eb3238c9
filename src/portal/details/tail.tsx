import { Alert, Button, Group, Stack, Text } from '@mantine/core';
import { memo, useEffect, useRef, useState } from 'react';
import { api, read } from '../lib/api.ts';
import { formatCount } from '../lib/format.ts';
import { formatJson } from '../lib/json.ts';
import { pace } from '../lib/pace.ts';
import { type Problem, problemFrom } from '../lib/problem.ts';
import { append, lineOf, MOST_RECORDS, type TailRecord } from '../lib/tail.ts';
import { Failed, Loading, Time } from '../parts/show.tsx';

const EVERY = 1000;

/** Shows the records that are delivered, the newest first. */
export function Tail({ id }: { readonly id: string }) {
  const [records, setRecords] = useState<readonly TailRecord[]>([]);
  const [paused, setPaused] = useState(false);
  const [skipped, setSkipped] = useState(false);
  const [answered, setAnswered] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const after = useRef<string>(undefined);

  useEffect(() => {
    if (paused) return undefined;
    let stopped = false;
    let timer = 0;
    const abort = new AbortController();
    const step = async () => {
      if (document.visibilityState === 'visible') {
        try {
          const query = { limit: 100, ...(after.current === undefined ? {} : { after: after.current }) };
          const params = { path: { id }, query };
          const tail = await read(api.GET('/api/v2/data_stream/{id}/tail', { params, signal: abort.signal }));
          if (stopped) return;
          setSkipped(after.current !== undefined && tail.skipped);
          after.current = tail.next;
          setAnswered(true);
          setRecords((held) => append(held, tail.records));
          setProblem(undefined);
        } catch (error) {
          if (!stopped) setProblem(problemFrom(error));
        }
      }
      if (!stopped) timer = window.setTimeout(step, EVERY * pace.factor());
    };
    void step();
    return () => {
      stopped = true;
      abort.abort();
      window.clearTimeout(timer);
    };
  }, [id, paused]);

  return (
    <Stack gap="sm">
      <Group justify="space-between">
        <Text size="sm" c="dimmed">
          {paused ? 'Paused.' : 'Shows records as they are delivered.'} The page keeps the newest{' '}
          {formatCount(MOST_RECORDS)} records.
        </Text>
        <Group gap="xs">
          <Button size="xs" variant="default" onClick={() => setPaused(!paused)} aria-pressed={paused}>
            {paused ? 'Go on' : 'Pause'}
          </Button>
          <Button size="xs" variant="default" onClick={() => setRecords([])}>
            Clear
          </Button>
        </Group>
      </Group>
      {problem && problem.status !== 429 && <Failed problem={problem} />}
      {skipped && (
        <Alert color="gray" variant="outline" p="xs">
          Records are delivered faster than this page can show them. Some are left out.
        </Alert>
      )}
      <section
        className="tail"
        aria-label="Delivered records"
        // A region that scrolls must be reachable with the keyboard.
        // biome-ignore lint/a11y/noNoninteractiveTabindex: see above
        tabIndex={0}
      >
        {records.length === 0 ? (
          <Nothing answered={answered} failed={problem !== undefined} />
        ) : (
          records.map((record) => <Line key={record.id} record={record} />)
        )}
      </section>
    </Stack>
  );
}

function Nothing({ answered, failed }: { readonly answered: boolean; readonly failed: boolean }) {
  if (!answered) return failed ? null : <Loading what="the last records" />;
  return (
    <Text p="md" size="sm">
      No record yet. Records appear here as they are delivered.
    </Text>
  );
}

const Line = memo(({ record }: { readonly record: TailRecord }) => {
  const [open, setOpen] = useState(false);
  return (
    <div>
      <details onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>
          <Time at={record.arrived_at} /> {lineOf(record.record)}
        </summary>
        {open && <pre>{formatJson(record.record)}</pre>}
      </details>
    </div>
  );
});
