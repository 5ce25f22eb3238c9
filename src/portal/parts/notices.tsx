import { Button, Modal, Notification, Stack, Text } from '@mantine/core';
import { useEffect, useState, useSyncExternalStore } from 'react';
import { curlOf, type LoggedCall } from '../lib/call-log.ts';
import { CodeBlock } from './show.tsx';

interface Notice {
  readonly key: number;
  readonly text: string;
  readonly failed: boolean;
  readonly call: LoggedCall | undefined;
}

let notices: readonly Notice[] = [];
let next = 1;
const listeners = new Set<() => void>();
const set = (changed: readonly Notice[]) => {
  notices = changed;
  for (const listener of listeners) listener();
};

/** Tells the reader what was done, with the call that did it. */
export function tell(text: string, call?: LoggedCall): void {
  set([...notices.slice(-2), { key: next++, text, failed: false, call }]);
}

export function tellFailure(text: string): void {
  set([...notices.slice(-2), { key: next++, text, failed: true, call: undefined }]);
}

const dismiss = (key: number) => set(notices.filter((notice) => notice.key !== key));

export function Notices() {
  const shown = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => notices,
  );
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

/** Long enough to read, and to reach for the button in it; failures stay until they are closed. */
const SHOWN_FOR = 8000;

function OneNotice({ notice, show }: { readonly notice: Notice; readonly show: (call: LoggedCall) => void }) {
  const { key, failed, text, call } = notice;
  useEffect(() => {
    if (failed) return undefined;
    const timer = window.setTimeout(() => dismiss(key), SHOWN_FOR);
    return () => window.clearTimeout(timer);
  }, [key, failed]);
  return (
    <Notification
      color={failed ? 'red' : 'green'}
      withBorder
      onClose={() => dismiss(key)}
      closeButtonProps={{ 'aria-label': 'Close message' }}
    >
      <Text size="sm" className="wrap">
        {text}
      </Text>
      {call && (
        <Button size="compact-xs" variant="default" mt={6} onClick={() => show(call)}>
          Show as API call
        </Button>
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
            SIMSTREAM_TOKEN is an auth token: see the API page. Secrets are left out; put yours in.
          </Text>
        </Stack>
      )}
    </Modal>
  );
}
