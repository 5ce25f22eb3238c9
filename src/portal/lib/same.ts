/** The new list, with the old objects where nothing of them changed, and the old list where nothing changed at all. */
export function sameAsBefore<T extends { readonly id: string }>(
  before: readonly T[],
  now: readonly T[],
): readonly T[] {
  const known = new Map(before.map((each) => [each.id, each]));
  const merged = now.map((each) => {
    const old = known.get(each.id);
    return old && JSON.stringify(old) === JSON.stringify(each) ? old : each;
  });
  const unchanged = merged.length === before.length && merged.every((each, index) => each === before[index]);
  return unchanged ? before : merged;
}
