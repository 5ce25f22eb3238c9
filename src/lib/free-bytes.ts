/** Smaller buffers are often part of a pool of Node.js, and freeing them would not pay. */
const SMALLEST = 16 * 1024;

/**
 * Frees the memory of bytes that are no longer needed at once. V8's collector only sees the small objects, and lets tens of
 * megabytes behind them pile up before it runs; the faster they pile up, the more often it runs. The collector keeps the
 * job for small buffers and for memory that is shared. The bytes are empty afterwards.
 */
export function freeBytes(bytes: Uint8Array): void {
  const { buffer } = bytes;
  if (bytes.length < SMALLEST || bytes.length !== buffer.byteLength) return;
  if (buffer instanceof ArrayBuffer && !buffer.detached) buffer.transfer(0);
}
