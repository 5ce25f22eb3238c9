/** How the portal writes numbers, times and sizes. An unknown value is a dash, never a zero. */
export const UNKNOWN = '–';

const NUMBER = new Intl.NumberFormat('en');

export function formatCount(count: number | null | undefined): string {
  return count === null || count === undefined ? UNKNOWN : NUMBER.format(count);
}

const COMPACT = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

/** `1 record`, `2,000 records`. */
export function formatNumberOf(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** For axes and narrow places: 12.3K. */
export function formatCompact(count: number): string {
  return COMPACT.format(count);
}

export function formatBytes(bytes: number | null | undefined): string {
  if (bytes === null || bytes === undefined) return UNKNOWN;
  const units = ['B', 'KiB', 'MiB', 'GiB'];
  let size = bytes;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit++;
  }
  return `${unit === 0 || size >= 100 ? Math.round(size) : size.toFixed(1)} ${units[unit]}`;
}

/** A length of time in milliseconds, in its two largest units: `2 h 5 min`. */
export function formatDuration(milliseconds: number | null | undefined): string {
  if (milliseconds === null || milliseconds === undefined) return UNKNOWN;
  if (milliseconds < 1) return '< 1 ms';
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 10_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 60) return `${seconds} s`;
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor((seconds % 86_400) / 3600), 'h'],
    [Math.floor((seconds % 3600) / 60), 'min'],
    [seconds % 60, 's'],
  ];
  const first = parts.findIndex(([value]) => value > 0);
  return parts
    .slice(first, first + 2)
    .filter(([value]) => value > 0)
    .map(([value, unit]) => `${value} ${unit}`)
    .join(' ');
}

/** `3 min ago`, `just now`; for a time in the future (a clock that is ahead) `just now` too. */
export function formatAgo(time: string | null | undefined, now: number): string {
  if (!time) return UNKNOWN;
  const seconds = Math.floor((now - Date.parse(time)) / 1000);
  if (seconds < 2) return 'just now';
  return seconds < 60 ? `${seconds} s ago` : `${formatDuration(seconds * 1000)} ago`;
}

/** `in 40 s`; `now` for a time that has come. */
export function formatIn(time: string, now: number): string {
  const seconds = Math.ceil((Date.parse(time) - now) / 1000);
  return seconds < 1 ? 'now' : `in ${formatDuration(seconds * 1000)}`;
}

/** Making one takes as long as a hundred uses: each is made once. */
const formats = new Map<string, Intl.DateTimeFormat>();
function formatOf(name: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  let format = formats.get(name);
  if (!format) {
    format = new Intl.DateTimeFormat('en-GB', options);
    formats.set(name, format);
  }
  return format;
}
const SECONDS: Intl.DateTimeFormatOptions = {
  day: '2-digit',
  month: 'short',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
};

/** In the reader's zone, or another one. */
export function formatTime(time: string | null | undefined, zone?: string): string {
  if (!time) return UNKNOWN;
  const options = zone === undefined ? SECONDS : { ...SECONDS, timeZone: zone };
  return formatOf(`seconds ${zone ?? ''}`, options).format(new Date(time));
}

export function formatUtc(time: string): string {
  return `${formatTime(time, 'UTC')} UTC`;
}

/** For the axis of a chart, in the reader's zone: the time of day, or the day where a step is an hour or more. */
export function formatTick(milliseconds: number, stepMilliseconds: number): string {
  return stepMilliseconds >= 3_600_000
    ? formatOf('day', { day: '2-digit', month: 'short' }).format(milliseconds)
    : formatOf('time', { hour: '2-digit', minute: '2-digit' }).format(milliseconds);
}

/** The reader's zone, `Europe/Berlin` for example. */
export function zoneName(): string {
  return formatOf('zone', {}).resolvedOptions().timeZone;
}
