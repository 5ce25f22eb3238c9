import { Modal, Stack, Text } from '@mantine/core';
import type { components } from '../generated/api.ts';
import { api, read } from '../lib/api.ts';
import { formatJson } from '../lib/json.ts';
import { useRead } from '../lib/query.ts';
import { visible } from '../lib/text.ts';
import { Reading } from './reading.tsx';
import { Code } from './show.tsx';

type Exchange = components['schemas']['Exchange'];
type Part = Pick<Exchange['request'], 'headers' | 'body' | 'body_cut'>;

/** A request and its answer, as the node noted them. */
export function ExchangeView({ exchange: { request, answer } }: { readonly exchange: Exchange }) {
  return (
    <Stack gap="sm">
      <ExchangePart title="Request" first={`${request.method} ${request.url}`} part={request} />
      {answer ? (
        <ExchangePart title="Answer" first={`Status ${answer.status}`} part={answer} />
      ) : (
        <Text size="sm">No answer came.</Text>
      )}
    </Stack>
  );
}

/** The first line, the headers and the body of a request or an answer. */
export function ExchangePart({
  title,
  first,
  part,
}: {
  readonly title: string;
  readonly first: string;
  readonly part: Part;
}) {
  const { headers, body, body_cut } = part;
  const head = [first, ...headers.map(({ name, value }) => `${name}: ${value}`)].join('\n');
  const rest = body_cut ? '\n… (cut)' : '';
  return (
    <div>
      <Text size="sm" fw={700} mb={4}>
        {title}
      </Text>
      <Code
        text={`${visible(head)}\n\n${isJson(body) ? formatJson(body) : visible(body)}${rest}`}
        label={title}
      />
    </div>
  );
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * The request and answer of an attempt. The list of attempts holds this dialog, not a row of it: a row goes when newer attempts
 * push it out, and the reader has not finished by then.
 */
export function ExchangeDialog({
  stream,
  attempt,
  close,
}: {
  readonly stream: string;
  /** Undefined: closed. */
  readonly attempt: string | undefined;
  readonly close: () => void;
}) {
  return (
    <Modal
      opened={attempt !== undefined}
      onClose={close}
      title="Request and answer"
      size="lg"
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      {attempt !== undefined && <Fetched stream={stream} attempt={attempt} />}
    </Modal>
  );
}

function Fetched({ stream, attempt }: { readonly stream: string; readonly attempt: string }) {
  const exchange = useRead(['exchange', stream, attempt], (signal) =>
    read(
      api.GET('/api/v2/data_stream/{id}/attempt/{attempt_id}', {
        params: { path: { id: stream, attempt_id: attempt } },
        signal,
      }),
    ),
  );
  return (
    <Reading of={exchange} what="the request" title="The request cannot be shown">
      {(data) => (
        <Stack>
          <ExchangeView exchange={data} />
          <Text size="sm" c="dimmed">
            Values that may be secret are masked, and long bodies are cut.
          </Text>
        </Stack>
      )}
    </Reading>
  );
}
