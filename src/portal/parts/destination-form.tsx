import { Button, Select, Stack } from '@mantine/core';
import type { ConnectionType } from '../lib/api.ts';
import type { ConnectionTest, HeldDestination } from '../lib/destination.ts';
import { faultAt, type Problem } from '../lib/problem.ts';
import { credentialSchema, ofFormat } from '../lib/schema.ts';
import { SchemaForm } from './schema-form.tsx';

/** The fields of a destination: credentials, and the format where there is a choice. */
export function DestinationForm({
  type,
  held,
  change,
  problem,
}: {
  readonly type: ConnectionType;
  readonly held: HeldDestination;
  readonly change: (held: HeldDestination) => void;
  readonly problem: Problem | undefined;
}) {
  return (
    <Stack>
      <SchemaForm
        schema={ofFormat(credentialSchema(type), held.format)}
        values={held.values}
        change={(values) => change({ ...held, values })}
        problem={problem}
      />
      {type.formats.length > 1 && (
        <Select
          label="Format"
          data={[...type.formats]}
          value={held.format}
          allowDeselect={false}
          error={faultAt(problem, '/destination/format') ?? null}
          onChange={(format) => change({ ...held, format: format ?? held.format })}
        />
      )}
    </Stack>
  );
}

export function TestButton({
  tested,
  start,
  disabled = false,
}: {
  readonly tested: ConnectionTest;
  /** What the form does before a test: it forgets earlier faults. */
  readonly start: () => void;
  readonly disabled?: boolean;
}) {
  return (
    <Button
      variant="default"
      loading={tested.testing}
      disabled={disabled}
      onClick={() => {
        start();
        void tested.test();
      }}
    >
      Test connection
    </Button>
  );
}
