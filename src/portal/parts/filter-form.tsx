import { JsonInput, Radio, Select, Stack, Text } from '@mantine/core';
import { NEW_FIELD_RULE, NEW_RULE } from '../lib/filter-tree.ts';
import { type Alerts, type Choice, groupsFrom, jsonFault, toFilters } from '../lib/filters.ts';
import { faultAt, type Problem } from '../lib/problem.ts';
import { useEventTypes } from '../lib/reads.ts';
import { RECORDS_IN_WORDS, type RecordsKind } from '../lib/streams.ts';
import { FilterGroups, TypesSelect } from './filter-groups.tsx';

/** Chooses which records a stream delivers. Only events have types and alerts. */
export function FilterForm({
  kind,
  choice,
  change,
  problem,
}: {
  readonly kind: RecordsKind;
  readonly choice: Choice;
  readonly change: (choice: Choice) => void;
  readonly problem?: Problem | undefined;
}) {
  const types = useEventTypes();
  const events = kind === 'events';
  const select = (which: string) => {
    if (which === 'all' || which === 'alerts') change({ which });
    else if (which === 'groups') change(groupsFrom(choice, events ? NEW_RULE : NEW_FIELD_RULE));
    else if (which === 'custom') change({ which, text: textOf(choice, kind) });
    else {
      const kept = 'types' in choice ? choice : { types: [], alerts: 'any' as const };
      change({ types: kept.types, alerts: kept.alerts, which: which as 'only' | 'except' });
    }
  };
  const fault = faultAt(problem, '/filters');
  const data = (types.data ?? []).map(({ id, description }) => ({
    value: String(id),
    label: `${description} (${id})`,
  }));
  return (
    <Stack>
      <Radio.Group
        label={`Which ${RECORDS_IN_WORDS[kind]}`}
        value={choice.which}
        onChange={select}
        error={choice.which === 'all' || choice.which === 'alerts' ? (fault ?? null) : null}
      >
        <Stack gap="xs" mt="xs">
          <Radio value="all" label={`All ${RECORDS_IN_WORDS[kind]}`} />
          {events && (
            <>
              <Radio value="only" label="Only chosen event types" />
              <Radio value="except" label="All but chosen event types" />
              <Radio value="alerts" label="Alerts only" />
            </>
          )}
          <Radio value="groups" label={events ? 'Conditions in groups' : 'Conditions on fields'} />
          <Radio value="custom" label="As JSON" description="As JSON of the API" />
        </Stack>
      </Radio.Group>
      {'types' in choice && (
        <>
          <TypesSelect
            label="Event types"
            types={data}
            chosen={choice.types}
            change={(types) => change({ ...choice, types })}
            error={fault ?? types.problem?.message}
          />
          <Select
            label="Alerts"
            allowDeselect={false}
            data={[
              { value: 'any', label: 'Alerts and others' },
              { value: 'must', label: 'Of these, alerts only' },
              { value: 'too', label: 'And alerts of any other type too' },
            ]}
            value={choice.alerts}
            onChange={(alerts) => change({ ...choice, alerts: (alerts ?? 'any') as Alerts })}
          />
        </>
      )}
      {choice.which === 'groups' && (
        <>
          <FilterGroups
            root={choice.root}
            change={(root) => change({ which: 'groups', root })}
            types={data}
            kind={kind}
          />
          {(fault ?? types.problem?.message) && (
            <Text size="sm" c="var(--mantine-color-error)" role="alert" className="wrap">
              {fault ?? types.problem?.message}
            </Text>
          )}
        </>
      )}
      {choice.which === 'custom' && (
        <JsonInput
          label="Filters"
          description="A list; its elements are joined by AND. Groups all, any and not hold further filters."
          value={choice.text}
          onChange={(text) => change({ which: 'custom', text })}
          autosize
          minRows={5}
          maxRows={16}
          error={jsonFault(choice.text) ?? fault ?? null}
        />
      )}
    </Stack>
  );
}

const EXAMPLES: Readonly<Record<RecordsKind, readonly unknown[]>> = {
  usage: [{ field: 'volume.total', op: 'gt', value: 0.5 }],
  events: [
    {
      any: [
        { field: 'event_type_id', value: [3, 5] },
        { field: 'alert', value: true },
      ],
    },
  ],
  sms: [{ field: 'status.status', op: 'ne', value: 'DELIVERED' }],
};

function textOf(choice: Choice, kind: RecordsKind): string {
  const filters = choice.which === 'custom' ? [] : (toFilters(choice) as unknown[]);
  return JSON.stringify(filters.length > 0 ? filters : EXAMPLES[kind], null, 2);
}
