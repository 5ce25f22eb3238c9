/** Less is often a part of a pool of Node.js, and not worth a call. */
const SMALLEST = 16 * 1024;

/**
 * Gives the memory of bytes that nobody will look at again back at once. The collector of V8 sees small objects, and lets
 * tens of megabytes behind them gather before it runs; and it runs the more often the faster they gather.
 * What shares its memory with others, and what is small, is left to the collector. The bytes are empty afterwards.
 */
export function giveBack(bytes: Uint8Array): void {
  const { buffer } = bytes;
  if (bytes.length < SMALLEST || bytes.length !== buffer.byteLength) return;
  if (buffer instanceof ArrayBuffer && !buffer.detached) buffer.transfer(0);
}
