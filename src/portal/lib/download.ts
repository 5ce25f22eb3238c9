/** Saves texts as a file of the reader's computer. */
export function download(name: string, ending: string, type: string, texts: string[]): void {
  const url = URL.createObjectURL(new Blob(texts, { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = `${name.replaceAll(/[^\w-]+/g, '-')}.${ending}`;
  link.click();
  URL.revokeObjectURL(url);
}
