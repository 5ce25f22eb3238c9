import { MultiSelect, NumberInput, Select, Stack, Switch, Textarea, TextInput } from '@mantine/core';
import { faultAt, type Problem } from '../lib/problem.ts';
import {
  type CredentialSchema,
  type FieldValue,
  type FormValues,
  fieldKind,
  type PropertySchema,
} from '../lib/schema.ts';
import { SecretField } from './secret-field.tsx';

/** A form of the credentials of any connection type, made from their schema alone. */
export function SchemaForm({
  schema,
  values,
  change,
  problem,
  prefix = '/destination/credentials',
}: {
  readonly schema: CredentialSchema;
  readonly values: FormValues;
  readonly change: (values: FormValues) => void;
  readonly problem?: Problem | undefined;
  readonly prefix?: string;
}) {
  return (
    <Stack>
      {Object.entries(schema.properties).map(([name, property]) => (
        <Field
          key={name}
          name={name}
          property={property}
          required={schema.required?.includes(name) ?? false}
          value={values[name] ?? ''}
          error={faultAt(problem, `${prefix}/${name}`)}
          set={(value) => change({ ...values, [name]: value })}
        />
      ))}
    </Stack>
  );
}

interface FieldProps {
  readonly name: string;
  readonly property: PropertySchema;
  readonly required: boolean;
  readonly value: FieldValue;
  readonly error: string | undefined;
  readonly set: (value: FieldValue) => void;
}

function Field({ name, property, required, value, error, set }: FieldProps) {
  const common = {
    label: property.title ?? name,
    description: description(property),
    name,
    error: error ?? null,
    withAsterisk: required,
    'aria-required': required,
  };
  const example = property.examples?.[0];
  const placeholder = typeof example === 'string' ? example : '';
  const text = typeof value === 'string' ? value : '';
  switch (fieldKind(property)) {
    case 'secret':
      return (
        <SecretField {...common} value={text} set={set} canGenerate={property['x-generate'] === 'whsec'} />
      );
    case 'number':
      return (
        <NumberInput
          {...common}
          value={typeof value === 'number' || typeof value === 'string' ? value : ''}
          allowDecimal={property.type === 'number'}
          // A value out of range stays as typed: the node explains the fault, and nothing changes by itself.
          clampBehavior="none"
          hideControls
          onChange={set}
        />
      );
    case 'choice':
      return (
        <Select
          {...common}
          data={[...(property.enum ?? [])]}
          value={text}
          allowDeselect={false}
          onChange={(chosen) => set(chosen ?? '')}
        />
      );
    case 'choices':
      return (
        <MultiSelect
          {...common}
          data={[...(property.items?.enum ?? [])]}
          value={Array.isArray(value) ? value : []}
          onChange={set}
          clearable
          clearButtonProps={{ 'aria-label': `Clear ${common.label}` }}
        />
      );
    case 'switch':
      return (
        <Switch
          label={common.label}
          description={common.description}
          error={common.error}
          name={name}
          checked={value === true}
          onChange={(event) => set(event.currentTarget.checked)}
        />
      );
    case 'lines':
      return (
        <Textarea
          {...common}
          description={`${common.description} One per line.`}
          placeholder={Array.isArray(example) ? example.join('\n') : ''}
          value={text}
          autosize
          minRows={2}
          autoComplete="off"
          spellCheck={false}
          onChange={(event) => set(event.currentTarget.value)}
        />
      );
    default:
      return (
        <TextInput
          {...common}
          value={text}
          placeholder={placeholder}
          autoComplete="off"
          spellCheck={false}
          onChange={(event) => set(event.currentTarget.value)}
        />
      );
  }
}

/** Help and range in one. */
function description({ description: help = '', minimum, maximum }: PropertySchema): string {
  if (minimum === undefined || maximum === undefined) return help;
  return `${help} ${minimum.toLocaleString('en')} to ${maximum.toLocaleString('en')}.`.trim();
}
