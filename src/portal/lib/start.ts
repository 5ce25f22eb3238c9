/** Where a new stream begins: with new records, with those of the last seconds, with those since a time, with all that are kept, or where another stream ends. */
export type Start =
  | { readonly from: 'now' | 'all' }
  | { readonly from: 'last'; readonly seconds: number }
  | { readonly from: 'time'; readonly at: string }
  | { readonly from: 'stream'; readonly id: string };

const HOUR = 3600;
/** Choices of how far back a stream begins. */
export const LASTS = [HOUR, 24 * HOUR, 72 * HOUR] as const;

/** The oldest records expire while the call is on its way: a start at the very end of the retention could be refused. */
const MARGIN = 60;

/**
 * `start_from` of a creation; undefined: from now on, or where another stream ends.
 * @param now milliseconds since the epoch
 * @param retention seconds that records are kept
 */
export function startFrom(start: Start, now: number, retention: number): string | undefined {
  if (start.from === 'now' || start.from === 'stream') return undefined;
  if (start.from === 'time') return start.at;
  const margin = Math.min(MARGIN, retention / 10);
  const seconds = start.from === 'last' ? start.seconds : retention - margin;
  return new Date(now - seconds * 1000).toISOString();
}

/** `continue_from` of a creation: the stream that the new one takes over from. */
export const continueFrom = (start: Start) => (start.from === 'stream' ? start.id : undefined);

export const isValidStart = (start: Start) =>
  start.from === 'time' ? start.at !== '' : start.from !== 'stream' || start.id !== '';

/** As it stands in the address; undefined: from now on. */
export function writeStart(start: Start): string | undefined {
  if (start.from === 'last') return `${start.seconds}s`;
  if (start.from === 'time') return `at:${start.at}`;
  if (start.from === 'stream') return `stream:${start.id}`;
  return start.from === 'all' ? 'all' : undefined;
}

export function readStart(text: string | null): Start {
  if (text === 'all') return { from: 'all' };
  const [, seconds] = /^(\d{1,9})s$/.exec(text ?? '') ?? [];
  if (seconds !== undefined) return { from: 'last', seconds: Number(seconds) };
  const [, id] = /^stream:([A-Za-z0-9_-]{0,64})$/.exec(text ?? '') ?? [];
  if (id !== undefined) return { from: 'stream', id };
  const [, at] = /^at:([\d:.TZ-]{0,30})$/.exec(text ?? '') ?? [];
  if (at === undefined) return { from: 'now' };
  return { from: 'time', at: at === '' || Number.isFinite(Date.parse(at)) ? at : '' };
}

/** A time in the reader's zone in the form of a browser's input; empty for no time. */
export function toLocalInput(at: string): string {
  const time = new Date(at);
  if (Number.isNaN(time.getTime())) return '';
  return new Date(time.getTime() - time.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** Today in the reader's zone, as an input of the browser has it. */
export function today(now: number): string {
  return toLocalInput(new Date(now).toISOString()).slice(0, 10);
}

/** The UTC time at which a day of the reader's zone ends. */
export function endOfDay(day: string): string {
  const [year = 0, month = 1, date = 1] = day.split('-').map(Number);
  return new Date(year, month - 1, date + 1).toISOString();
}

/** The UTC time that an input of the browser says; empty if it says none. */
export function fromLocalInput(text: string): string {
  const time = new Date(text);
  return text === '' || Number.isNaN(time.getTime()) ? '' : time.toISOString();
}
