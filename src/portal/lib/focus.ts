import { useEffect, useRef } from 'react';

/** A step that replaces another one takes the focus with its first field. */
export function useFocusOnStep(place: React.RefObject<HTMLElement | null>, step: string): void {
  const before = useRef(step);
  useEffect(() => {
    if (before.current === step) return;
    before.current = step;
    place.current?.querySelector<HTMLElement>('form input, form textarea')?.focus();
  }, [place, step]);
}

/** Moves the focus to the first marked field, otherwise to the message. */
export function focusFirstFault(place: HTMLElement | null): void {
  // The focus that the step sets itself comes first.
  requestAnimationFrame(() => {
    const fault = place?.querySelector<HTMLElement>('[aria-invalid="true"], [data-error="true"] input');
    if (fault) return fault.focus();
    const alert = place?.querySelector<HTMLElement>('[role="alert"]');
    if (!alert) return;
    alert.tabIndex = -1;
    alert.focus();
  });
}
