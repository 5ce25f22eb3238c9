import { Stack, TagsInput, Text } from '@mantine/core';
import { FIELDS } from '../lib/fields.ts';
import type { PrivacyValues } from '../lib/privacy.ts';
import { faultAt, type Problem } from '../lib/problem.ts';
import type { RecordsKind } from '../lib/streams.ts';

/** Chooses the fields of records that the receiver does not get. */
export function PrivacyForm({
  kind,
  values,
  change,
  problem,
}: {
  readonly kind: RecordsKind;
  readonly values: PrivacyValues;
  readonly change: (values: PrivacyValues) => void;
  readonly problem?: Problem | undefined;
}) {
  const lists = [
    { list: 'drop', label: 'Fields to remove', example: 'sim.msisdn' },
    { list: 'hash', label: 'Fields to replace by a hash', example: 'sim.iccid' },
  ] as const;
  return (
    <Stack maw={560}>
      {lists.map(({ list, label, example }) => (
        <TagsInput
          key={list}
          label={label}
          placeholder={values[list].length === 0 ? `${example}, then Enter` : ''}
          data={[...FIELDS[kind]]}
          acceptValueOnBlur
          clearable
          clearButtonProps={{ 'aria-label': `Clear: ${label}` }}
          maxDropdownHeight={220}
          // Below the field it would cover the buttons of the form.
          comboboxProps={{ position: 'top-start' }}
          value={[...values[list]]}
          error={faultAt(problem, `/privacy/${list}`) ?? null}
          onChange={(paths) => change({ ...values, [list]: paths.map((path) => path.trim()) })}
        />
      ))}
      <Text size="sm" c="dimmed">
        Filters still see all fields. A hash is the same for the same value in all data streams of your
        organisation.
      </Text>
    </Stack>
  );
}
