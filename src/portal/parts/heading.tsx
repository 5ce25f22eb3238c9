import { Title } from '@mantine/core';
import { type ReactNode, useEffect, useRef } from 'react';
import { visible } from '../lib/text.ts';

/** Path whose heading had the focus last; undefined: the first view, which comes with the page itself. */
let focusedAt: string | undefined;

/** The next heading takes the focus, because the element that had it was removed. */
export function focusNextHeading(): void {
  focusedAt = '';
}

/**
 * The heading of a view. It names the page for the browser's tab and history, and takes the focus when a view replaces
 * another one: a keyboard goes on from there, and a screen reader says where it is.
 */
export function Heading({ title, children }: { readonly title: string; readonly children?: ReactNode }) {
  const place = useRef<HTMLHeadingElement>(null);
  const text = visible(title);
  useEffect(() => {
    document.title = `${text} · simstream`;
  }, [text]);
  useEffect(() => {
    const { pathname } = window.location;
    const isFree = document.activeElement === document.body || document.activeElement === null;
    // The heading of a view may come twice: while it loads, and then in full.
    if (focusedAt !== undefined && (focusedAt !== pathname || isFree)) {
      place.current?.focus({ preventScroll: true });
    }
    focusedAt = pathname;
  }, []);
  return (
    <Title order={1} ref={place} tabIndex={-1} className="wrap heading">
      {children ?? <bdi>{text}</bdi>}
    </Title>
  );
}
