import type { ReactNode } from 'react';
import type { Read } from '../lib/query.ts';
import { Failed, Loading } from './show.tsx';

/** Shows data from the node; until it arrives, why not. */
export function Reading<T>({
  of: { data, problem, reload },
  what,
  title,
  children,
}: {
  readonly of: Read<T>;
  /** Follows "Loading". */
  readonly what: string;
  /** Of the message, when it cannot be read. */
  readonly title?: string;
  readonly children: (data: T) => ReactNode;
}) {
  if (data !== undefined) return children(data);
  if (!problem) return <Loading what={what} retry={reload} />;
  return <Failed problem={problem} retry={() => void reload()} {...(title === undefined ? {} : { title })} />;
}
