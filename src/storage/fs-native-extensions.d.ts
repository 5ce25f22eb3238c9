/** The part of the package that simstream uses; it brings no types. */
declare module 'fs-native-extensions' {
  /**
   * Takes an exclusive lock on `length` bytes from `offset` on, for this open file.
   * @returns false when another open file, of this or another process, holds it
   * @throws when the file system has no locks
   */
  export function tryLock(descriptor: number, offset: number, length: number): boolean;
}
