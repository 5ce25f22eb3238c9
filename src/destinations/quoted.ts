/** The words of a service as a sentence: another one may follow. */
export function quoted(words: string): string {
  return /[.!?]$/.test(words) ? `“${words}”` : `“${words}”.`;
}
