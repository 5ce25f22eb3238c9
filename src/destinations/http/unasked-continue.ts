import type { Socket } from 'node:net';

/**
 * Skips answers `100 Continue` to requests that did not ask for them: some receivers send one before their answer, and RFC 9110 (15.2) lets
 * them. undici closes the connection at such an answer, and the records would be repeated for ever. It skips other 1xx by itself.
 *
 *   answers = *("HTTP/1.1 100" … CRLF CRLF) answer       (looked for after a request was written, until the answer begins)
 */
const START = Buffer.from('HTTP/1.1 100');
const END = '\r\n\r\n';
/** undici handles a longer one. */
const LONGEST = 8_192;

/** @returns the socket, whose readers do not see such answers */
export function withoutContinue(socket: Socket): Socket {
  const read = socket.read.bind(socket) as (size?: number) => Buffer | null;
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
  let awaited = false;
  let kept: Buffer | undefined;
  socket.write = ((...args: unknown[]) => {
    awaited = true;
    return write(...args);
  }) as typeof socket.write;
  socket.read = (size?: number): Buffer | null => {
    for (;;) {
      const chunk = read(size);
      if (chunk === null || !awaited) return chunk;
      let bytes = kept ? Buffer.concat([kept, chunk]) : chunk;
      kept = undefined;
      while (bytes.length > START.length && begins(bytes)) {
        const end = bytes.indexOf(END);
        if (end < 0) break;
        bytes = bytes.subarray(end + END.length);
      }
      if (bytes.length === 0) continue;
      if (bytes.length < LONGEST && begins(bytes)) {
        kept = bytes;
        continue;
      }
      awaited = false;
      return bytes;
    }
  };
  return socket;
}

/** Whether bytes are such an answer, or as much of it as has come. */
function begins(bytes: Buffer): boolean {
  const length = Math.min(bytes.length, START.length);
  return bytes.compare(START, 0, length, 0, length) === 0;
}
