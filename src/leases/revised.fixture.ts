import type { Registry, WriteOutcome } from '../registry/registry.ts';

/** Shows every revision, and expects every revision, lower by this number. */
export function revised(registry: Registry, lower: () => number): Registry {
  const shown = (revision: number) => (revision === 0 ? 0 : revision - lower());
  const meant = (expected: number | undefined) => (expected ? expected + lower() : expected);
  const shownOutcome = (outcome: WriteOutcome): WriteOutcome =>
    outcome.type === 'stored' ? { ...outcome, revision: shown(outcome.revision) } : outcome;
  return {
    ...registry,
    get: async (key) => {
      const entry = await registry.get(key);
      return entry && { ...entry, revision: shown(entry.revision) };
    },
    put: async (key, value, expected) => shownOutcome(await registry.put(key, value, meant(expected))),
    delete: async (key, expected) => shownOutcome(await registry.delete(key, meant(expected))),
    watch: (prefix, onChange, signal) =>
      registry.watch(prefix, (change) => onChange({ ...change, revision: shown(change.revision) }), signal),
  };
}
