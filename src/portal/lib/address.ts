import { useEffect, useMemo, useRef } from 'react';
import { createRouter } from './router.ts';
import { useStore } from './store.ts';

/** The router of this page. */
export const router = createRouter(window);
export const { navigate } = router;

window.addEventListener('beforeunload', (event) => {
  if (router.isGuarded()) event.preventDefault();
});

/** Where the reader is: path and query of the address. */
export function useAddress(): URL {
  const href = useStore(router.address);
  return useMemo(() => new URL(href), [href]);
}

/** Properties of a link that stays in the portal; new tabs and windows work as with any link. */
export function linkTo(to: string) {
  return {
    href: to,
    onClick: (event: React.MouseEvent) => {
      if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
      event.preventDefault();
      navigate(to);
    },
  };
}

/**
 * Asks before the input of a form goes that is not saved.
 * @param isUnsaved the form holds input that is stored nowhere
 * @param keeps addresses at which the form and its input stay
 * @returns how to let the reader go without a question, once the input is saved
 */
export function useUnsaved(isUnsaved: boolean, keeps: (to: URL) => boolean = () => false): () => void {
  const latest = useRef({ isUnsaved, keeps });
  latest.current = { isUnsaved, keeps };
  useEffect(() => router.guard((to) => latest.current.isUnsaved && !latest.current.keeps(to)), []);
  return () => {
    latest.current = { ...latest.current, isUnsaved: false };
  };
}

/** @returns whether the view that asks is still the one that is shown: a late answer must not move the reader */
export function useStillHere(): () => boolean {
  const here = useRef(true);
  useEffect(() => {
    here.current = true;
    return () => {
      here.current = false;
    };
  }, []);
  return () => here.current;
}
