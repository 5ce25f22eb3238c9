import { KINDS } from '../../records/kinds.ts';
import type { RecordFile } from '../contract.ts';

/**
 * The beginning of the names of a stream's files: folders, and partitions in the form of Hive, Athena and BigQuery.
 *
 *   prefix      = *(character / placeholder)
 *   placeholder = "{kind}" / "{yyyy}" / "{mm}" / "{dd}" / "{hh}" / "{stream_id}"
 *
 * The prefix depends only on the file's first record, so that a file that is stored again gets the same name.
 */
const PLACEHOLDERS: Readonly<Record<string, (file: RecordFile, time: string) => string>> = {
  kind: ({ kind }) => KINDS[kind].name,
  yyyy: (_, time) => time.slice(0, 4),
  mm: (_, time) => time.slice(5, 7),
  dd: (_, time) => time.slice(8, 10),
  hh: (_, time) => time.slice(11, 13),
  stream_id: ({ streamId }) => streamId,
};
const PLACEHOLDER = /\{([^{}]*)\}/g;
/**
 * The characters that AWS calls safe in keys, without `*`, which tools treat as a pattern; and `=` of Hive's
 * partitions.
 */
const SAFE = /^[A-Za-z0-9!_.'()/=-]*$/;

/** The fault of a prefix, or undefined. */
export function prefixFault(prefix: string): string | undefined {
  const names = [...prefix.matchAll(PLACEHOLDER)].map(([, name]) => name as string);
  const unknown = names.find((name) => !Object.hasOwn(PLACEHOLDERS, name));
  const known = Object.keys(PLACEHOLDERS).map((name) => `{${name}}`);
  if (unknown !== undefined) return `has an unknown placeholder; the placeholders are ${known.join(' ')}`;
  const plain = prefix.replace(PLACEHOLDER, 'x');
  if (!SAFE.test(plain))
    return "has characters other than letters, digits, placeholders and ! _ . ' ( ) / = -";
  if (plain.startsWith('/')) return 'must not begin with a slash';
  if (plain.includes('//')) return 'must not have two slashes in a row';
  if (plain.split('/').some((part) => part === '.' || part === '..'))
    return 'must not have . or .. as a folder';
  return undefined;
}

/** The prefix of a file. */
export function prefixOf(prefix: string, file: RecordFile): string {
  const time = new Date(file.firstArrivedAt).toISOString();
  return prefix.replace(PLACEHOLDER, (whole, name: string) => PLACEHOLDERS[name]?.(file, time) ?? whole);
}

/** The part of a prefix that is the same for all files, up to its last folder. */
export function fixedPart(prefix: string): string {
  const [fixed = ''] = prefix.split('{');
  return fixed === prefix ? prefix : fixed.slice(0, fixed.lastIndexOf('/') + 1);
}

/** A key in the path of a URL, as S3 signs it: everything but letters, digits and `-._~/` is escaped. */
export function encodedKey(key: string): string {
  return key
    .split('/')
    .map((part) =>
      encodeURIComponent(part).replace(
        /[!'()*]/g,
        (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
      ),
    )
    .join('/');
}
