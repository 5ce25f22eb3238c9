import { Alert, Button, Text } from '@mantine/core';
import { useState } from 'react';
import type { components } from '../generated/api.ts';
import { api, type DataStream, perform } from '../lib/api.ts';
import { formatDuration } from '../lib/format.ts';
import { type Problem, problemFrom } from '../lib/problem.ts';
import { ExchangeView } from './exchange.tsx';
import { Failed, Message } from './show.tsx';

type Result = components['schemas']['TestRecordResult'];

/** The record that was sent and its outcome, for the stream as it was then. */
type Tested = { readonly of: string } & ({ readonly result: Result } | { readonly problem: Problem });

/** Sends test records to the stream's destination, and keeps the last answer until the stream is changed. */
export function useTestRecord(stream: DataStream) {
  const [tested, setTested] = useState<Tested>();
  const [sending, setSending] = useState(false);
  const { id, modified } = stream;
  const send = async () => {
    setSending(true);
    setTested(undefined);
    const path = `/api/v2/data_stream/${id}/test_record`;
    try {
      const call = api.POST('/api/v2/data_stream/{id}/test_record', { params: { path: { id } } });
      const { data } = await perform('POST', path, undefined, call);
      setTested({ of: modified, result: data });
    } catch (error) {
      setTested({ of: modified, problem: problemFrom(error) });
    }
    setSending(false);
  };
  return {
    sending,
    send,
    tested: tested?.of === modified ? tested : undefined,
    forget: () => setTested(undefined),
  };
}

type TestRecord = ReturnType<typeof useTestRecord>;

export function TestRecordButton({ test }: { readonly test: TestRecord }) {
  return (
    <Button size="xs" variant="default" loading={test.sending} onClick={() => void test.send()}>
      Send test record
    </Button>
  );
}

export function TestRecordResult({ test: { tested, forget } }: { readonly test: TestRecord }) {
  if (!tested) return null;
  if ('problem' in tested) return <Failed problem={tested.problem} title="No test record was sent" />;
  const { outcome, message, remote_status, duration_ms, exchange } = tested.result;
  const good = outcome === 'delivered';
  return (
    <Alert
      color={good ? 'green' : 'red'}
      variant="outline"
      title={good ? 'The test record was delivered' : 'The test record was not delivered'}
      role="status"
      className="wrap"
      withCloseButton
      closeButtonLabel="Close the result of the test"
      onClose={forget}
    >
      <Text size="sm">
        <Message text={message} /> {remote_status !== null && `Status ${remote_status}. `}
        It took {formatDuration(duration_ms)}. Nothing of the data stream moved.
      </Text>
      {exchange && (
        <details>
          <summary>Request and answer</summary>
          <ExchangeView exchange={exchange} />
        </details>
      )}
    </Alert>
  );
}
