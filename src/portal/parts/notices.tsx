import { Anchor, Button, Group, Modal, Notification, Stack, Text } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { linkTo } from '../lib/address.ts';
import { curlOf, type LoggedCall } from '../lib/call-log.ts';
import { dismiss, type Notice, notices } from '../lib/notices.ts';
import { useStore } from '../lib/store.ts';
import { CodeBlock, Message } from './show.tsx';

export function Notices() {
  const shown = useStore(notices);
  const [call, setCall] = useState<LoggedCall>();
  return (
    <>
      <section className="notices" aria-live="polite" aria-label="Messages">
        {shown.map((notice) => (
          <OneNotice key={notice.key} notice={notice} show={setCall} />
        ))}
      </section>
      <CallModal call={call} close={() => setCall(undefined)} />
    </>
  );
}

/** Long enough to read it and to reach its button; a failure stays until it is closed. */
const SHOWN_FOR = 12_000;
const COLORS = { done: 'green', partly: 'yellow', failed: 'red' } as const;

function OneNotice({ notice, show }: { readonly notice: Notice; readonly show: (call: LoggedCall) => void }) {
  const { key, text, tone, call, link } = notice;
  const place = useRef<HTMLDivElement>(null);
  const [held, setHeld] = useState(false);
  useEffect(() => {
    // A notice stays while the reader is on it.
    if (tone === 'failed' || held) return undefined;
    const timer = window.setTimeout(() => dismiss(key), SHOWN_FOR);
    return () => window.clearTimeout(timer);
  }, [key, tone, held]);
  const close = () => {
    // The focus would fall back to the beginning of the page.
    if (place.current?.contains(document.activeElement)) document.getElementById('content')?.focus();
    dismiss(key);
  };
  return (
    <Notification
      ref={place}
      role={tone === 'failed' ? 'alert' : 'status'}
      color={COLORS[tone]}
      withBorder
      onClose={close}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
      onMouseEnter={() => setHeld(true)}
      onMouseLeave={() => setHeld(false)}
      closeButtonProps={{ 'aria-label': 'Close message' }}
    >
      <Text size="sm" className="wrap">
        <Message text={text} />
      </Text>
      {(call || link) && (
        <Group gap="sm" mt={6}>
          {link && (
            <Anchor size="sm" {...linkTo(link.to)}>
              {link.label}
            </Anchor>
          )}
          {call && (
            <Button size="compact-xs" variant="default" onClick={() => show(call)}>
              Show as API call
            </Button>
          )}
        </Group>
      )}
    </Notification>
  );
}

export function CallModal({
  call,
  close,
}: {
  readonly call: LoggedCall | undefined;
  readonly close: () => void;
}) {
  return (
    <Modal
      opened={call !== undefined}
      onClose={close}
      title="The same, as an API call"
      size="lg"
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      {call && (
        <Stack>
          <CodeBlock text={curlOf(call, window.location.origin)} label="API call" />
          <Text size="sm" c="dimmed">
            SIMSTREAM_TOKEN is an auth token: see the API page. Secrets are left out; fill in your own.
          </Text>
        </Stack>
      )}
    </Modal>
  );
}
