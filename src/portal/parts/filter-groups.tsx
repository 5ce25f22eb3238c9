import {
  Autocomplete,
  Button,
  CloseButton,
  Group,
  MultiSelect,
  Select,
  Stack,
  TagsInput,
} from '@mantine/core';
import { FIELDS } from '../lib/fields.ts';
import {
  type FieldOp,
  type FieldRule,
  type GroupRule,
  type How,
  NEW_FIELD_RULE,
  NEW_RULE,
  needsValues,
  OP_WORDS,
  type Rule,
} from '../lib/filter-tree.ts';
import type { RecordsKind } from '../lib/streams.ts';

/** Groups that may be added inside each other; the API takes more, which people can no longer read. */
const DEEPEST = 3;

const HOWS: readonly { value: How; label: string }[] = [
  { value: 'all', label: 'All of these' },
  { value: 'any', label: 'Any of these' },
  { value: 'none', label: 'None of these' },
  { value: 'not-all', label: 'Not all of these' },
];
const KINDS = [
  { value: 'types', label: 'Type is one of' },
  { value: 'not-types', label: 'Type is none of' },
  { value: 'alert', label: 'Is an alert' },
  { value: 'no-alert', label: 'Is no alert' },
  { value: 'field', label: 'A field' },
];
const OPS = Object.entries(OP_WORDS).map(([value, label]) => ({ value, label }));
type Kind = RecordsKind;

interface EventTypeChoice {
  readonly value: string;
  readonly label: string;
}

/** An editor of groups of conditions, each of which may hold further groups. */
export function FilterGroups({
  root,
  change,
  types,
  kind,
}: {
  readonly root: GroupRule;
  readonly change: (root: GroupRule) => void;
  readonly types: readonly EventTypeChoice[];
  readonly kind: Kind;
}) {
  return <GroupEditor group={root} change={change} types={types} kind={kind} place="" depth={1} />;
}

interface GroupProps {
  readonly group: GroupRule;
  readonly change: (group: GroupRule) => void;
  readonly types: readonly EventTypeChoice[];
  readonly kind: Kind;
  /** `2.1`: the first rule of the second; empty: the outermost group. */
  readonly place: string;
  readonly depth: number;
}

function GroupEditor({ group, change, types, kind, place, depth }: GroupProps) {
  const added = kind === 'events' ? NEW_RULE : NEW_FIELD_RULE;
  const set = (rules: readonly Rule[]) => change({ ...group, rules });
  const name = place === '' ? 'Filter' : `Group ${place}`;
  return (
    <Stack gap="xs" className="group" component="fieldset" aria-label={name}>
      <Select
        aria-label={`${name}: how its conditions count`}
        data={HOWS}
        value={group.how}
        allowDeselect={false}
        onChange={(how) => change({ ...group, how: (how ?? group.how) as How })}
      />
      {group.rules.map((rule, index) => {
        const at = place === '' ? `${index + 1}` : `${place}.${index + 1}`;
        const put = (changed: Rule) => set(group.rules.with(index, changed));
        const remove = () => set(group.rules.toSpliced(index, 1));
        return (
          <Group
            // biome-ignore lint/suspicious/noArrayIndexKey: a rule is its place in the group
            key={index}
            className="rule"
            gap="xs"
            wrap="nowrap"
            align="flex-start"
          >
            <div style={{ minWidth: 0 }}>
              {rule.is === 'group' ? (
                <GroupEditor
                  group={rule}
                  change={put}
                  types={types}
                  kind={kind}
                  place={at}
                  depth={depth + 1}
                />
              ) : (
                <Condition rule={rule} change={put} types={types} kind={kind} place={at} />
              )}
            </div>
            <CloseButton
              aria-label={`Remove ${rule.is === 'group' ? 'group' : 'condition'} ${at}`}
              onClick={remove}
            />
          </Group>
        );
      })}
      <Group gap="xs">
        <Button
          size="compact-sm"
          variant="default"
          onClick={() => set([...group.rules, added])}
          aria-label={`Add condition to ${name.toLowerCase()}`}
        >
          Add condition
        </Button>
        {depth < DEEPEST && (
          <Button
            size="compact-sm"
            variant="default"
            onClick={() => set([...group.rules, { is: 'group', how: 'any', rules: [added] }])}
            aria-label={`Add group to ${name.toLowerCase()}`}
          >
            Add group
          </Button>
        )}
      </Group>
    </Stack>
  );
}

function Condition({
  rule,
  change,
  types,
  kind: records,
  place,
}: {
  readonly rule: Exclude<Rule, GroupRule>;
  readonly change: (rule: Rule) => void;
  readonly types: readonly EventTypeChoice[];
  readonly kind: Kind;
  readonly place: string;
}) {
  if (records !== 'events' && rule.is === 'field')
    return <FieldCondition rule={rule} change={change} kind={records} place={place} />;
  const kind = kindOf(rule);
  const select = (next: string | null) => {
    if (next === 'field') return change(NEW_FIELD_RULE);
    if (next === 'alert' || next === 'no-alert') return change({ is: 'alert', value: next === 'alert' });
    change({ is: 'types', not: next === 'not-types', types: rule.is === 'types' ? rule.types : [] });
  };
  return (
    <Stack gap={6}>
      <Select
        aria-label={`Condition ${place}`}
        data={KINDS}
        value={kind}
        allowDeselect={false}
        onChange={select}
      />
      {rule.is === 'field' && <FieldCondition rule={rule} change={change} kind={records} place={place} />}
      {rule.is === 'types' && (
        <TypesSelect
          label={`Event types of condition ${place}`}
          types={types}
          chosen={rule.types}
          change={(chosen) => change({ ...rule, types: chosen })}
          hidden
        />
      )}
    </Stack>
  );
}

function kindOf(rule: Exclude<Rule, GroupRule>): string {
  if (rule.is === 'field') return 'field';
  if (rule.is === 'alert') return rule.value ? 'alert' : 'no-alert';
  return rule.not ? 'not-types' : 'types';
}

/** A field, a comparison, and the values of which any matches. */
function FieldCondition({
  rule,
  change,
  kind,
  place,
}: {
  readonly rule: FieldRule;
  readonly change: (rule: Rule) => void;
  readonly kind: Kind;
  readonly place: string;
}) {
  // A value that was a number stays one; what is typed is a text, which equals the number that it writes.
  const sameValue = (text: string) => rule.values.find((value) => String(value) === text) ?? text;
  return (
    <Stack gap={6}>
      <Autocomplete
        aria-label={`Field of condition ${place}`}
        placeholder="Field, such as operator.country.mcc"
        data={[...FIELDS[kind]]}
        value={rule.field}
        onChange={(field) => change({ ...rule, field: field.trim() })}
        maxDropdownHeight={260}
      />
      <Select
        aria-label={`Comparison of condition ${place}`}
        data={OPS}
        value={rule.op}
        allowDeselect={false}
        onChange={(op) => change({ ...rule, op: (op ?? rule.op) as FieldOp })}
      />
      {needsValues(rule.op) && (
        <TagsInput
          aria-label={`Values of condition ${place}`}
          placeholder={rule.values.length === 0 ? 'Type a value and press Enter' : ''}
          acceptValueOnBlur
          clearable
          clearButtonProps={{ 'aria-label': `Clear the values of condition ${place}` }}
          value={rule.values.map(String)}
          onChange={(values) => change({ ...rule, values: values.map(sameValue) })}
        />
      )}
    </Stack>
  );
}

/** Event types to choose from, by name or number. */
export function TypesSelect({
  label,
  types,
  chosen,
  change,
  error,
  hidden = false,
}: {
  readonly label: string;
  readonly types: readonly EventTypeChoice[];
  readonly chosen: readonly number[];
  readonly change: (types: number[]) => void;
  readonly error?: string | undefined;
  /** The label is for readers who do not see its surroundings. */
  readonly hidden?: boolean;
}) {
  const known = new Set(types.map(({ value }) => value));
  // The API takes types that have no name here, and the form must not lose them.
  const unnamed = chosen.map(String).filter((type) => !known.has(type));
  return (
    <MultiSelect
      {...(hidden ? { 'aria-label': label } : { label })}
      placeholder={chosen.length === 0 ? 'Type to search' : ''}
      searchable
      clearable
      clearButtonProps={{ 'aria-label': 'Clear event types' }}
      hidePickedOptions
      data={[...types, ...unnamed.map((type) => ({ value: type, label: `Type ${type}` }))]}
      value={chosen.map(String)}
      onChange={(values) => change(values.map(Number))}
      error={error ?? null}
      nothingFoundMessage="No event type matches"
      maxDropdownHeight={260}
    />
  );
}
