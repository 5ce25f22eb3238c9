const WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  ENOTDIR: 'a part of its path is a file and not a directory',
  EISDIR: 'it is a directory',
  EACCES: 'this user may not use it',
  EPERM: 'this user may not use it',
  EROFS: 'its file system is read-only',
  ENOSPC: 'its disk is full',
  EDQUOT: 'the quota on its disk is used up',
  ENAMETOOLONG: 'its path is too long',
  ELOOP: 'its symbolic links lead in a circle',
  EMFILE: 'this process has too many open files',
  ENFILE: 'the system has too many open files',
  EIO: 'its disk reports an error',
  Z_DATA_ERROR: 'it is not gzip, or it is damaged',
  Z_BUF_ERROR: 'its end is missing: gzip stops in the middle',
  ZSTD_error_prefix_unknown: 'it is not zstd, or it is damaged',
};

/** Why a file cannot be read or written, in words that follow its name. */
export function fileFault(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code = '' } = error as NodeJS.ErrnoException;
  return WORDS[code] ?? (code.startsWith('ZSTD_') ? 'it is damaged: zstd cannot unpack it' : error.message);
}
