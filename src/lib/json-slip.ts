/**
 * Syntax of other languages that JSON does not have, outside of texts. The first occurrence is certainly wrong, so it
 * explains a failed parse better than the parser, which names a character or nothing.
 */
const SLIP = new RegExp(
  [
    // Texts are stepped over: they may hold anything.
    String.raw`"(?:[^"\\\n]|\\.)*"`,
    String.raw`(?<comment>\/\/|\/\*|#)`,
    String.raw`(?<comma>,(?=\s*[}\]]))`,
    "(?<quote>['“”‘’])",
    String.raw`\b(?<word>NaN|Infinity|undefined|None|True|False)\b`,
  ].join('|'),
  'g',
);

/**
 * Says which habit of another language makes a text invalid JSON, and where: `JSON has no comments, and one begins at
 * line 2, column 9: remove it`. Repeats nothing of the text, which may hold secrets.
 * @param text that `JSON.parse` refused
 * @returns undefined if it is none of the known ones
 */
export function jsonSlip(text: string): string | undefined {
  for (const { groups = {}, index } of text.matchAll(SLIP)) {
    const { comment, comma, quote, word } = groups;
    const place = placeOf(text, index);
    if (comment) return `JSON has no comments, and one begins at ${place}: remove it`;
    if (comma) return `no value follows the comma at ${place}: remove it`;
    if (quote) return `texts and names need straight double quotes, and the quote at ${place} is another one`;
    if (word) return `JSON has no ${word}, which is at ${place}: use null, true, false or a number`;
  }
  return undefined;
}

function placeOf(text: string, index: number): string {
  const before = text.slice(0, index);
  const line = before.split('\n').length;
  return `line ${line}, column ${index - before.lastIndexOf('\n')}`;
}
