import assert from 'node:assert/strict';
import { test } from 'node:test';
import { filesThatLoad, importsOf, sourceFiles } from '../scripts/import-graph.ts';

const IMPORTS = sourceFiles().flatMap(importsOf);

test('a file is loaded through others, but not by an import of types', () => {
  const imports = [
    { from: 'b', to: 'a', typeOnly: false },
    { from: 'c', to: 'b', typeOnly: false },
    { from: 'c', to: 'x', typeOnly: false },
    { from: 'd', to: 'a', typeOnly: true },
  ];
  assert.deepEqual([...filesThatLoad(['a'], imports)].sort(), ['a', 'b', 'c']);
  assert.deepEqual([...filesThatLoad(['d'], imports)], ['d']);
});

test('a change of shared code reaches tests in other folders, and no more than load it', () => {
  const errors = filesThatLoad(['src/errors.ts'], IMPORTS);
  assert.ok(errors.has('src/api/app.test.ts') && errors.has('src/leases/shared.test.ts'));
  const connector = filesThatLoad(['src/destinations/keen/keen-io.ts'], IMPORTS);
  assert.ok(connector.has('src/api/data-streams/matrix.test.ts'), 'it loads all connectors');
  assert.ok(!connector.has('src/log/damage.test.ts'));
  // Loaded by `import()` alone.
  assert.ok(filesThatLoad(['src/maintenance/backup.ts'], IMPORTS).has('src/cli/backup.ts'));
});
