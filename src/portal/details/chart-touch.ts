import type uPlot from 'uplot';

/** Pixels that a finger moves before it marks a range. */
const LEAST_MOVE = 8;

/**
 * A finger that moves over the chart reads it as a mouse does; up and down it still scrolls the page.
 * @param marks whether it marks a range
 */
export function followTouch({ over, setCursor, setSelect }: uPlot, marks: () => boolean): () => void {
  let range: { readonly begin: number; end: number } | undefined;
  const placeOf = ({ clientX }: Touch) => {
    const { left, width } = over.getBoundingClientRect();
    return Math.min(width, Math.max(0, clientX - left));
  };
  const select = (hook: boolean) => {
    if (!range || Math.abs(range.end - range.begin) < LEAST_MOVE) return;
    const { begin, end } = range;
    const { height } = over.getBoundingClientRect();
    setSelect({ left: Math.min(begin, end), width: Math.abs(end - begin), top: 0, height }, hook);
  };
  const follow = (event: TouchEvent) => {
    const [touch] = event.touches;
    if (!touch) return;
    const at = placeOf(touch);
    setCursor({ left: at, top: touch.clientY - over.getBoundingClientRect().top });
    if (event.type === 'touchstart') range = marks() ? { begin: at, end: at } : undefined;
    if (range) range.end = at;
    select(false);
  };
  const end = () => {
    select(true);
    range = undefined;
  };
  // The browser took the finger over, to scroll.
  const cancel = () => {
    range = undefined;
  };
  over.style.touchAction = 'pan-y';
  over.addEventListener('touchstart', follow, { passive: true });
  over.addEventListener('touchmove', follow, { passive: true });
  over.addEventListener('touchend', end);
  over.addEventListener('touchcancel', cancel);
  return () => {
    over.removeEventListener('touchstart', follow);
    over.removeEventListener('touchmove', follow);
    over.removeEventListener('touchend', end);
    over.removeEventListener('touchcancel', cancel);
  };
}
