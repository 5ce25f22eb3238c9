import { Table } from '@mantine/core';
import type { ReactNode } from 'react';

/** A table that scrolls sideways where the window is narrower than it, also with the keyboard. */
export function WideTable({
  label,
  minWidth,
  children,
}: {
  readonly label: string;
  readonly minWidth: number;
  readonly children: ReactNode;
}) {
  const viewportProps = { tabIndex: 0, role: 'region', 'aria-label': label };
  return (
    <Table.ScrollContainer minWidth={minWidth} scrollAreaProps={{ viewportProps }}>
      <Table>{children}</Table>
    </Table.ScrollContainer>
  );
}
