import { type ReactNode, useEffect, useRef, useState } from 'react';

/** How far beyond the window things are drawn, so that neither scrolling nor the Tab key comes to one that is not. */
const MARGIN = '1200px 0px';

const told = new WeakMap<Element, (near: boolean, height: number) => void>();
let observer: IntersectionObserver | undefined;

/** One for all: a thousand observers are slower than one of a thousand elements. */
function sharedObserver(): IntersectionObserver {
  observer ??= new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting, boundingClientRect } of entries) {
        told.get(target)?.(isIntersecting, boundingClientRect.height);
      }
    },
    { rootMargin: MARGIN },
  );
  return observer;
}

/** An entry of a long list: drawn in full near the window, elsewhere as something small of the same height. */
export function NearItem({
  instead,
  height,
  children,
}: {
  readonly instead: ReactNode;
  /** Expected, px, until it was drawn once. */
  readonly height: number;
  readonly children: () => ReactNode;
}) {
  const place = useRef<HTMLLIElement>(null);
  const [near, setNear] = useState(false);
  const measured = useRef(height);
  useEffect(() => {
    const element = place.current;
    if (!element) return undefined;
    let drawn = false;
    told.set(element, (isNear, now) => {
      if (drawn && now > 0) measured.current = now;
      drawn = isNear;
      setNear(isNear);
    });
    sharedObserver().observe(element);
    return () => {
      sharedObserver().unobserve(element);
      told.delete(element);
    };
  }, []);
  return (
    <li ref={place} style={near ? undefined : { height: measured.current }}>
      {near ? children() : instead}
    </li>
  );
}
