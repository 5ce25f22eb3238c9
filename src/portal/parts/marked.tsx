/** `**bold**` and `code` in a text. */
export function Marked({ text }: { readonly text: string }) {
  return text.split(/(\*\*[^*]+\*\*|`[^`]+`)/).map((piece, at) => {
    const key = `${at}${piece}`;
    if (piece.startsWith('**')) return <strong key={key}>{piece.slice(2, -2)}</strong>;
    if (piece.startsWith('`')) return <code key={key}>{piece.slice(1, -1)}</code>;
    return piece;
  });
}
