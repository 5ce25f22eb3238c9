import { type Kind, refuse, splitList } from './settings.ts';

/** A subject or topic, and the kind of its messages: a kind of records, or the name of a mapping. */
export interface SourceAddress {
  readonly holds: string;
  readonly address: string;
}

/** How a protocol writes its subjects or topics. */
interface Style {
  /** Between levels. */
  readonly separator: string;
  /** Stands for one level. */
  readonly one: string;
  /** Stands for all levels from there on; only at the end. */
  readonly rest: string;
  /** Whether `rest` stands for no level too. */
  readonly restIsOptional: boolean;
  /** Whether a level may be empty. */
  readonly emptyLevels: boolean;
}

const STYLES = {
  nats: { separator: '.', one: '*', rest: '>', restIsOptional: false, emptyLevels: false },
  mqtt: { separator: '/', one: '+', rest: '#', restIsOptional: true, emptyLevels: true },
} as const satisfies Record<string, Style>;
type Protocol = keyof typeof STYLES;

/** `kind=address`, separated by commas. */
export function sourceList(protocol: Protocol, example: string): Kind<readonly SourceAddress[]> {
  const allowed = `\`kind=address\`, several separated by commas, e.g. \`usage=${example}\`; kind is \`usage\`, \`events\`, \`sms\` or the name of a mapping`;
  return {
    allowed,
    read: (text) => {
      const value: SourceAddress[] = [];
      for (const part of splitList(text)) {
        const [, holds, address] = /^([\w.-]+)=(\S+)$/.exec(part) ?? [];
        if (holds === undefined || address === undefined) return refuse(part, allowed);
        const fault = patternFault(STYLES[protocol], address);
        if (fault !== undefined) return { fault: `has ${JSON.stringify(address)}: ${fault}` };
        if (value.some((one) => one.address === address)) return { fault: `names ${address} twice` };
        value.push({ holds, address });
      }
      return value.length > 0 || text === '' ? { value } : refuse(text, allowed);
    },
  };
}

/** One subject or topic, without wildcards. */
export function plainAddress(protocol: Protocol, allowed: string): Kind<string> {
  const style = STYLES[protocol];
  return {
    allowed,
    read: (text) => {
      const isPlain =
        /^[^\s\0]{1,255}$/.test(text) && !text.includes(style.one) && !text.includes(style.rest);
      if (!isPlain) return refuse(text, allowed);
      const fault = patternFault(style, text);
      return fault === undefined ? { value: text } : { fault: `is ${JSON.stringify(text)}: ${fault}` };
    },
  };
}

function patternFault({ separator, one, rest, emptyLevels }: Style, address: string): string | undefined {
  const levels = address.split(separator);
  if (!emptyLevels && levels.includes('')) return `a level beside a ${JSON.stringify(separator)} is empty`;
  if (levels.some((level) => level !== one && level.includes(one))) return `${one} must be a whole level`;
  if (levels.some((level, at) => level.includes(rest) && (level !== rest || at < levels.length - 1)))
    return `${rest} must be the whole last level`;
  return undefined;
}

/** Whether a message to `address`, which has no wildcards, is read by `pattern`. */
export function covers(protocol: Protocol, pattern: string, address: string): boolean {
  const { separator, one, rest, restIsOptional } = STYLES[protocol];
  const wanted = pattern.split(separator);
  const levels = address.split(separator);
  for (const [at, level] of wanted.entries()) {
    if (level === rest) return levels.length > at || (restIsOptional && levels.length === at);
    if (at >= levels.length || (level !== one && level !== levels[at])) return false;
  }
  return wanted.length === levels.length;
}
