import { visible } from './text.ts';

/** Indented, for reading. Numbers keep all their digits: only white space is put in. */
export function formatJson(given: string): string {
  const text = visible(given);
  let depth = 0;
  let quoted = false;
  let out = '';
  const line = () => `\n${'  '.repeat(depth)}`;
  for (let i = 0; i < text.length; i++) {
    const character = text[i] as string;
    if (quoted) {
      out += character;
      if (character === '\\') out += text[++i] ?? '';
      else if (character === '"') quoted = false;
      continue;
    }
    if (character === '"') {
      quoted = true;
      out += character;
    } else if (character === '{' || character === '[') {
      const close = character === '{' ? '}' : ']';
      const rest = /^\s*(.)/.exec(text.slice(i + 1, i + 50));
      if (rest?.[1] === close) {
        out += character + close;
        i = text.indexOf(close, i);
      } else {
        depth++;
        out += character + line();
      }
    } else if (character === '}' || character === ']') {
      depth--;
      out += line() + character;
    } else if (character === ',') out += `,${line()}`;
    else if (character === ':') out += ': ';
    else if (!/\s/.test(character)) out += character;
  }
  return out;
}
