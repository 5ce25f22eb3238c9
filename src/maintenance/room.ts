import { statfsSync } from 'node:fs';

/** @throws Error when less than `bytes` are free on the disk of a directory */
export function requireRoom(directory: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(directory);
  const mebibytes = (size: number) => `${Math.ceil(size / 2 ** 20)} MiB`;
  if (bavail * bsize >= bytes) return;
  throw new Error(
    `the disk of ${directory} is too small: ${mebibytes(bytes)} are needed, and ${mebibytes(bavail * bsize)} are free`,
  );
}
