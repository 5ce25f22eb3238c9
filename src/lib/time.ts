const TIME = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?) ?(Z|[+-]\d{2}:?\d{2})?)?$/i;

/**
 * Reads a date, or a date and time, in ISO 8601. The default time is midnight, the default zone UTC.
 * @returns milliseconds since the epoch; undefined if no such time exists, e.g. the 30th of February
 */
export function parseTime(text: string): number | undefined {
  const [, date, time = '00:00:00', zone = 'Z'] = TIME.exec(text.trim()) ?? [];
  if (!date) return undefined;
  const midnight = Date.parse(`${date}T00:00:00Z`);
  // Date.parse reads the 30th of February as the 2nd of March.
  if (Number.isNaN(midnight) || new Date(midnight).toISOString().slice(0, 10) !== date) return undefined;
  const offset = zone.toUpperCase() === 'Z' ? 'Z' : `${zone.slice(0, 3)}:${zone.slice(-2)}`;
  const milliseconds = Date.parse(`${date}T${time}${offset}`);
  return Number.isNaN(milliseconds) ? undefined : milliseconds;
}
