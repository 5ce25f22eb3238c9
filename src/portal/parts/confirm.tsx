import { Button, Group, Modal, Stack } from '@mantine/core';
import type { ReactNode } from 'react';

interface Props {
  readonly opened: boolean;
  readonly title: string;
  /** The button that changes nothing, which has the focus at first. */
  readonly keep: string;
  readonly act: string;
  readonly close: () => void;
  readonly run: () => unknown;
  readonly busy?: boolean;
  /** The action cannot be undone. */
  readonly final?: boolean;
  readonly children: ReactNode;
}

/** Asks before something is done. */
export function Confirm({
  opened,
  title,
  keep,
  act,
  close,
  run,
  busy = false,
  final = true,
  children,
}: Props) {
  return (
    <Modal opened={opened} onClose={close} title={title} closeButtonProps={{ 'aria-label': 'Close' }}>
      <Stack>
        {children}
        <Group justify="flex-end">
          <Button variant="default" onClick={close} data-autofocus>
            {keep}
          </Button>
          <Button {...(final ? { color: 'red.9' } : {})} loading={busy} onClick={() => void run()}>
            {act}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
