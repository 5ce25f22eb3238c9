import type { LoggedCall } from './call-log.ts';
import { LoginEnded } from './login.ts';
import { problemFrom } from './problem.ts';
import { createLoginStore } from './store.ts';

/** A message about something that the reader did. */
export interface Notice {
  readonly key: number;
  readonly text: string;
  readonly tone: 'done' | 'partly' | 'failed';
  /** The call that did it. */
  readonly call?: LoggedCall | undefined;
  /** The page that shows the result. */
  readonly link?: { readonly to: string; readonly label: string } | undefined;
}

/** More would cover the page. */
const MOST = 3;
export const notices = createLoginStore<readonly Notice[]>([]);
let next = 1;

export function notify(notice: Omit<Notice, 'key'>): void {
  notices.set([...notices.get().slice(1 - MOST), { ...notice, key: next++ }]);
}

/** Says why something did not work; nothing, if the login ended that it was done for. */
export function notifyFailure(error: unknown): void {
  if (error instanceof LoginEnded) return;
  notify({ text: problemFrom(error).message, tone: 'failed' });
}

export function dismiss(key: number): void {
  notices.set(notices.get().filter((notice) => notice.key !== key));
}
