import { accessSync, closeSync, constants, createReadStream, openSync, readSync, statSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { fileFault } from '../lib/file-fault.ts';

/** A file of records as a command got its name; `-` is the standard input. */
type InputFile = { readonly name: string } & (
  | { readonly fault: string }
  /** Reads it from its beginning, unpacked. The standard input and pipes can be read once. */
  | { readonly open: () => Readable }
);

interface Packing {
  readonly name: string;
  readonly suffix: string;
  /** How its files begin. */
  readonly magic: Buffer;
  readonly unpack: () => NodeJS.ReadWriteStream & Readable;
}

const PACKINGS: readonly Packing[] = [
  { name: 'gzip', suffix: '.gz', magic: Buffer.from('1f8b', 'hex'), unpack: createGunzip },
  { name: 'zstd', suffix: '.zst', magic: Buffer.from('28b52ffd', 'hex'), unpack: createZstdDecompress },
];
/** Texts in other codings than UTF-8 begin like this, as editors and spreadsheets of Windows write them. */
const UTF_16 = [Buffer.from('fffe', 'hex'), Buffer.from('feff', 'hex')];
const LONGEST_MAGIC = 4;

/** Looks at a file before anything of it, or of the files before it, is used. */
export function inputFile(name: string): InputFile {
  if (name === '-') return { name, open: () => process.stdin };
  const bySuffix = PACKINGS.find(({ suffix }) => name.endsWith(suffix));
  let first: Buffer | undefined;
  try {
    first = firstBytes(name);
  } catch (error) {
    return { name, fault: fileFault(error) };
  }
  // A pipe: its bytes cannot be read twice.
  if (!first) return { name, open: () => unpacked(name, bySuffix) };
  const starts = (magic: Buffer) => first.subarray(0, magic.length).equals(magic);
  const packing = PACKINGS.find(({ magic }) => starts(magic));
  if (bySuffix && bySuffix !== packing)
    return { name, fault: `it is not ${bySuffix.name}, although its name ends with ${bySuffix.suffix}` };
  if (UTF_16.some(starts)) return { name, fault: 'it is UTF-16: save it as UTF-8, or convert it' };
  return { name, open: () => unpacked(name, packing) };
}

/** @returns undefined if it is not a regular file */
function firstBytes(name: string): Buffer | undefined {
  const found = statSync(name);
  if (!found.isFile() && !found.isDirectory()) {
    accessSync(name, constants.R_OK);
    return undefined;
  }
  const descriptor = openSync(name, 'r');
  try {
    const bytes = Buffer.alloc(LONGEST_MAGIC);
    return bytes.subarray(0, readSync(descriptor, bytes));
  } finally {
    closeSync(descriptor);
  }
}

function unpacked(name: string, packing: Packing | undefined): Readable {
  const source = createReadStream(name);
  if (!packing) return source;
  const unpack = packing.unpack();
  source.on('error', (error) => unpack.destroy(error));
  return source.pipe(unpack);
}
