import { ActionIcon, Alert, Button, CopyButton, Group, Loader, Stack, Text, Tooltip } from '@mantine/core';
import { Fragment, type ReactNode, useEffect, useState } from 'react';
import { formatAgo, formatIn, formatTime, formatUtc, UNKNOWN } from '../lib/format.ts';
import type { Problem } from '../lib/problem.ts';
import { useNow } from '../lib/query.ts';
import { partsOf, visible } from '../lib/text.ts';
import { Icon } from './icons.tsx';

/** A time in the reader's zone; in UTC when it is pointed at. */
export function Time({ at }: { readonly at: string | null | undefined }) {
  if (!at) return <>{UNKNOWN}</>;
  return (
    <time dateTime={at} title={formatUtc(at)}>
      {formatTime(at)}
    </time>
  );
}

/** How long ago something was; the time itself, in both zones, when it is pointed at. */
export function Ago({ at }: { readonly at: string | null | undefined }) {
  const now = useNow();
  if (!at) return <>{UNKNOWN}</>;
  return (
    <time dateTime={at} title={`${formatTime(at)} (${formatUtc(at)})`}>
      {formatAgo(at, now)}
    </time>
  );
}

/** How soon something is; the time itself, in both zones, when it is pointed at. */
export function In({ at }: { readonly at: string }) {
  const now = useNow();
  return (
    <time dateTime={at} title={`${formatTime(at)} (${formatUtc(at)})`}>
      {formatIn(at, now)}
    </time>
  );
}

/** A message of the node: times in it are shown in the reader's zone. */
export function Message({ text }: { readonly text: string }) {
  return partsOf(visible(text)).map((part, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: a part is its place in the message
    <Fragment key={index}>{index % 2 === 1 ? <Time at={part} /> : part}</Fragment>
  ));
}

/** After this time, ms, the page says that it still waits. */
const LONG = 8000;

export function Loading({ what, retry }: { readonly what: string; readonly retry?: () => Promise<void> }) {
  const [long, setLong] = useState(false);
  useEffect(() => {
    if (long) return undefined;
    const timer = window.setTimeout(() => setLong(true), LONG);
    return () => window.clearTimeout(timer);
  }, [long]);
  return (
    <Group justify="center" py="xl" role="status">
      <Loader size="sm" />
      <Text c="dimmed">
        {long ? `Still waiting for ${what}. The node is slow to answer.` : `Loading ${what}…`}
      </Text>
      {long && retry && (
        <Button
          size="xs"
          variant="default"
          onClick={() => {
            setLong(false);
            void retry();
          }}
        >
          Try again
        </Button>
      )}
    </Group>
  );
}

/** Why something could not be shown or done, and a way on. */
export function Failed({
  problem,
  retry,
  title = 'That did not work',
}: {
  readonly problem: Problem;
  readonly retry?: () => void;
  readonly title?: string;
}) {
  return (
    <Alert color="red" variant="outline" title={title} role="alert" className="wrap">
      <Stack gap="xs" align="flex-start">
        <Text size="sm">
          <Message text={problem.message} />
        </Text>
        {retry && (
          <Button size="xs" variant="default" onClick={retry}>
            Try again
          </Button>
        )}
      </Stack>
    </Alert>
  );
}

export function Copy({ text, label }: { readonly text: string; readonly label: string }) {
  return (
    <CopyButton value={text} timeout={1500}>
      {({ copied, copy }) => (
        <Tooltip label={copied ? 'Copied' : label}>
          <ActionIcon variant="default" onClick={copy} aria-label={copied ? 'Copied' : label}>
            <Icon name={copied ? 'check' : 'copy'} size={16} />
          </ActionIcon>
        </Tooltip>
      )}
    </CopyButton>
  );
}

/** Text of a machine, as it is. */
export function Code({ text, label }: { readonly text: string; readonly label: string }) {
  return (
    <section
      className="code"
      // A region that scrolls must be reachable with the keyboard.
      // biome-ignore lint/a11y/noNoninteractiveTabindex: see above
      tabIndex={0}
      aria-label={label}
    >
      {text}
    </section>
  );
}

/** Text to copy: a policy, a line for a shell. */
export function CodeBlock({ text, label }: { readonly text: string; readonly label: string }) {
  return (
    <div className="coded">
      <Code text={text} label={label} />
      <Copy text={text} label={`Copy: ${label}`} />
    </div>
  );
}

export function Fact({ name, children }: { readonly name: string; readonly children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
