const FORM = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(\.\d{1,9})?(?:(Z)|([+-]\d{2})(?::?(\d{2}))?)?$/i;

/**
 * The moment of a record's timestamp, in any form that timestamp.ts accepts. Without a zone it is UTC.
 * @returns milliseconds since the epoch; undefined if the text is not such a timestamp
 */
export function recordTime(text: string | undefined): number | undefined {
  const match = text === undefined ? null : FORM.exec(text);
  if (!match) return undefined;
  const [, date, time, fraction = '', , hours, minutes = '00'] = match;
  const offset = hours === undefined ? 'Z' : `${hours}:${minutes}`;
  const milliseconds = Date.parse(`${date}T${time}${fraction.slice(0, 4)}${offset}`);
  return Number.isNaN(milliseconds) ? undefined : milliseconds;
}
