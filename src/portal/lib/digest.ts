import { sha1 } from '@noble/hashes/legacy.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';

/** A password as the API takes it. Browsers have no SHA-1 of their own on plain HTTP. */
export function digestOf(password: string): string {
  return bytesToHex(sha1(utf8ToBytes(password)));
}
