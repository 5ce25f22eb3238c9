import { isIP, isIPv4, isIPv6 } from 'node:net';
import { formatDuration, parseDuration } from '../lib/duration.ts';

/** One kind of value that a setting can have: its reader, and the allowed values in words. */
export interface Kind<Value> {
  readonly allowed: string;
  read(text: string): Checked<Value>;
}

/** A fault continues a sentence that begins with the setting's name, and ends with the allowed values. */
export type Checked<Value> = { readonly value: Value } | { readonly fault: string };

export function text(allowed: string, pattern: RegExp): Kind<string> {
  return {
    allowed,
    read: (text) => (pattern.test(text) ? { value: text } : refuse(text, allowed)),
  };
}

/** A host name or an IP address, without a port. */
export function host(): Kind<string> {
  const allowed = 'a host name or an IP address';
  return {
    allowed,
    read: (text) => {
      const isName =
        /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*$/;
      return isIP(text) !== 0 || isName.test(text) ? { value: text } : refuse(text, allowed);
    },
  };
}

/** A path, absolute or relative to the working directory. */
export function directory(): Kind<string> {
  const allowed = 'a directory';
  return {
    allowed,
    read: (text) => {
      // A shell replaces it at the beginning of a word only, and nothing does in a file with variables.
      if (/^~(\/|$)/.test(text))
        return { fault: `is ${JSON.stringify(text)}: only a shell replaces ~; write the whole path` };
      return /^[^\0]{1,4096}$/.test(text) ? { value: text } : refuse(text, allowed);
    },
  };
}

/** Like text, but a fault never repeats the value. */
export function secretText(allowed: string, pattern: RegExp): Kind<string> {
  return {
    allowed,
    read: (text) =>
      pattern.test(text) ? { value: text } : { fault: `has other characters; allowed: ${allowed}` },
  };
}

/** A URL of one of these schemes, which may hold a secret: a fault never repeats it. */
export function secretUrl(allowed: string, schemes: readonly string[]): Kind<string> {
  return {
    allowed,
    read: (text) => {
      const url = /^[\x21-\x7e]{1,2048}$/.test(text) && URL.canParse(text) ? new URL(text) : undefined;
      const isOne = url?.hostname && schemes.some((scheme) => url.protocol === `${scheme}:`);
      return isOne ? { value: text } : { fault: `is not a valid URL; allowed: ${allowed}` };
    },
  };
}

export function wholeNumber(smallest: number, greatest: number, allowed: string): Kind<number> {
  return {
    allowed,
    read: (text) => {
      const value = /^\d{1,15}$/.test(text.trim()) ? Number(text) : Number.NaN;
      if (value >= smallest && value <= greatest) return { value };
      // Kubernetes sets SIMSTREAM_PORT=tcp://… in every pod of a namespace with a service named "simstream".
      const hint = text.startsWith('tcp://') ? '; Kubernetes sets it: use enableServiceLinks: false' : '';
      return refuse(text, allowed + hint);
    },
  };
}

export function duration(shortest: number, longest: number): Kind<number> {
  const allowed = `a duration such as \`90s\`, \`24h\` or \`7d\`, from ${formatDuration(shortest)} to ${formatDuration(longest)}`;
  return {
    allowed,
    read: (text) => {
      const value = parseDuration(text);
      return value !== undefined && value >= shortest && value <= longest ? { value } : refuse(text, allowed);
    },
  };
}

export function boolean(): Kind<boolean> {
  const allowed = '`true` or `false`';
  return {
    allowed,
    read: (text) => {
      const word = text.trim().toLowerCase();
      if (word === 'true' || word === '1') return { value: true };
      if (word === 'false' || word === '0') return { value: false };
      return refuse(text, allowed);
    },
  };
}

export function choice<const Word extends string>(words: readonly Word[]): Kind<Word> {
  const allowed = words.map((word) => `\`${word}\``).join(', ');
  return {
    allowed,
    read: (text) => {
      const value = words.find((word) => word === text.trim().toLowerCase());
      return value === undefined ? refuse(text, allowed) : { value };
    },
  };
}

/** 32 bytes in base64, of either alphabet, padded or not. A fault never repeats the text. */
export function secret(): Kind<Buffer | undefined> {
  const allowed = '32 bytes in base64, e.g. from `openssl rand -base64 32`';
  return {
    allowed,
    read: (text) => {
      const value = Buffer.from(text.trim(), 'base64');
      if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text.trim()))
        return { fault: `is not base64; allowed: ${allowed}` };
      return value.length === 32 ? { value } : { fault: `has ${value.length} bytes; allowed: ${allowed}` };
    },
  };
}

/** Server URLs of one scheme, separated by commas; the scheme is optional. Faults never repeat passwords. */
export function urlList(scheme: string): Kind<readonly string[]> {
  const allowed = `\`${scheme}://host:port\`, several separated by commas`;
  return {
    allowed,
    read: (text) => {
      const value: string[] = [];
      for (const part of splitList(text)) {
        const whole = part.includes('://') ? part : `${scheme}://${part}`;
        const url = URL.canParse(whole) ? new URL(whole) : undefined;
        if (url?.protocol !== `${scheme}:` && url?.protocol !== 'tls:') {
          return refuse(part.replace(/\/\/.*@/, '//***@'), allowed);
        }
        if (!url.hostname) return refuse(part.replace(/\/\/.*@/, '//***@'), allowed);
        value.push(whole);
      }
      return value.length > 0 || text === '' ? { value } : refuse(text, allowed);
    },
  };
}

/** `organisation=resource`, separated by commas: a role of AWS, or a project or topic of Google Cloud. */
export function grantList(): Kind<readonly { organisation: number | '*'; resource: string }[]> {
  const allowed =
    '`organisation=resource`, several separated by commas; a resource is `arn:aws:iam::123456789012:role/name`, `projects/project` or `projects/project/topics/topic`';
  return {
    allowed,
    read: (text) => {
      const value: { organisation: number | '*'; resource: string }[] = [];
      for (const part of splitList(text)) {
        const [, organisation = '', resource = ''] = GRANT.exec(part) ?? [];
        if (!resource) return refuse(part, `${allowed}, e.g. 70412=projects/iot-records/topics/usage`);
        value.push({ organisation: organisation === '*' ? '*' : Number(organisation), resource });
      }
      return { value };
    },
  };
}

const GRANT =
  /^([1-9]\d{0,15}|\*)=(arn:aws[a-z0-9-]*:iam::\d{12}:role\/[\w+=.@/-]+|projects\/[a-z0-9.:-]+(?:\/topics\/[A-Za-z0-9._~+%-]+)?)$/;

/** Addresses with a prefix length, separated by commas; a bare address means only itself. */
export function cidrList(): Kind<readonly string[]> {
  const allowed = 'addresses with a prefix length (CIDR), separated by commas';
  return {
    allowed,
    read: (text) => {
      const value: string[] = [];
      for (const part of splitList(text)) {
        const cidr = toCidr(part);
        if (cidr === undefined) return refuse(part, `${allowed}, e.g. 10.0.0.0/8,fd00::/8`);
        value.push(cidr);
      }
      return { value };
    },
  };
}

/** IP addresses, separated by commas, each with an optional port; an IPv6 address with a port needs brackets: `[v6]:port`. */
export function addressList(): Kind<readonly string[]> {
  const allowed = '`address` or `address:port`, several separated by commas';
  return {
    allowed,
    read: (text) => {
      const value = splitList(text);
      const wrong = value.find((part) => {
        const [, v6, v4, port = '53'] = /^(?:\[([^\]]+)\]|([\d.]+))(?::(\d{1,5}))?$/.exec(part) ?? [];
        const isAddress = isIPv6(v6 ?? '') || isIPv4(v4 ?? '');
        return isIP(part) === 0 && !(isAddress && Number(port) >= 1 && Number(port) <= 65_535);
      });
      if (wrong !== undefined) return refuse(wrong, allowed);
      return value.length > 0 || text === '' ? { value } : refuse(text, allowed);
    },
  };
}

function toCidr(text: string): string | undefined {
  const [address = '', length, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0 || address.includes('%')) return undefined;
  const longest = version === 4 ? 32 : 128;
  if (length === undefined) return `${address}/${longest}`;
  return /^\d{1,3}$/.test(length) && Number(length) <= longest ? `${address}/${Number(length)}` : undefined;
}

export function splitList(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

export function refuse(text: string, allowed: string): { fault: string } {
  const shown = text.length > 80 ? `${text.slice(0, 80)}…` : text;
  return { fault: `is ${JSON.stringify(shown)}; allowed: ${allowed}` };
}
