/** Characters that turn the direction of the text after them: a name with one can pass for another name. */
const TURNING = /[\u202A-\u202E\u2066-\u2069]/g;

/** Foreign text made safe to show: characters that would reverse it are written out. */
export function visible(text: string): string {
  return text.replaceAll(TURNING, (character) => {
    const code = character.charCodeAt(0).toString(16).toUpperCase();
    return `[U+${code}]`;
  });
}

const ISO_TIME = /\b(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z)/;

/** A message, cut at the times that stand in it: every second part is a time. */
export function partsOf(message: string): readonly string[] {
  return message.split(ISO_TIME);
}
