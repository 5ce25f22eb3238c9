/** The target of the writes; a FileHandle of Node.js. */
interface Writable {
  writev(parts: readonly Uint8Array[]): Promise<{ readonly bytesWritten: number }>;
}

/**
 * Writes all of `parts`, in order. The system may take a part of a write, as it does when a disk is almost full: the rest is
 * written again, until it is taken or refused.
 * @throws the error of the system; ENOSPC when it takes nothing without an error
 */
export async function writeAll(file: Writable, parts: readonly Uint8Array[]): Promise<void> {
  let rest = parts.filter(({ length }) => length > 0);
  while (rest.length > 0) {
    const { bytesWritten } = await file.writev(rest);
    if (bytesWritten === 0) throw Object.assign(new Error('nothing was written'), { code: 'ENOSPC' });
    rest = behind(rest, bytesWritten);
  }
}

function behind(parts: readonly Uint8Array[], written: number): Uint8Array[] {
  let left = written;
  const rest: Uint8Array[] = [];
  for (const part of parts) {
    if (left < part.length) rest.push(part.subarray(left));
    left = Math.max(0, left - part.length);
  }
  return rest;
}
