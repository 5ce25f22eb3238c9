import { Badge } from '@mantine/core';
import type { ReactNode } from 'react';

/** A state in a word or two; the colour repeats it. */
export function Chip({ color, children }: { readonly color: string; readonly children: ReactNode }) {
  return (
    <Badge color={color} variant="filled" radius="sm" tt="none" className="chip">
      {children}
    </Badge>
  );
}
