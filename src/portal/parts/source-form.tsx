import { Button, Group, Paper, Radio, Select, Stack, TextInput } from '@mantine/core';
import { choiceFor, isValidChoice } from '../lib/filters.ts';
import { faultAt, type Problem } from '../lib/problem.ts';
import { isValidStart } from '../lib/start.ts';
import type { Draft } from '../lib/wizard.ts';
import { FilterForm } from './filter-form.tsx';
import { StartForm } from './start-form.tsx';

/** The source is complete. */
export const isReady = ({ kind, choice, start }: Draft) =>
  isValidStart(start) && isValidChoice(choiceFor(kind, choice));

const OF = [
  { value: '1', label: 'This organisation' },
  { value: '2', label: 'Its child organisations' },
  { value: '3', label: 'This organisation and its children' },
];

/** The first step of a new data stream: what it delivers, and where it begins. */
export function SourceForm({
  draft,
  change,
  problem,
  next,
}: {
  readonly draft: Draft;
  readonly change: (part: Partial<Draft>) => void;
  readonly problem: Problem | undefined;
  readonly next: () => void;
}) {
  return (
    <Paper withBorder p="lg">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          next();
        }}
        aria-label="Source"
      >
        <Stack>
          <TextInput
            label="Name"
            description="Optional. Helps you to find the stream again."
            value={draft.name}
            maxLength={500}
            autoComplete="off"
            error={faultAt(problem, '/name') ?? null}
            onChange={(event) => change({ name: event.currentTarget.value })}
          />
          <Radio.Group
            label="What to deliver"
            value={draft.kind}
            onChange={(kind) =>
              change({
                kind: kind as Draft['kind'],
                // A stream of another kind cannot go on there.
                ...(draft.start.from === 'stream' ? { start: { from: 'now' } } : {}),
              })
            }
            error={faultAt(problem, '/data_stream_type') ?? null}
          >
            <Stack gap="xs" mt="xs">
              <Radio
                value="usage"
                label="Usage data"
                description="Volume and cost of data and SMS, per SIM"
              />
              <Radio value="events" label="Events" description="What happens to SIMs, endpoints and users" />
              <Radio value="sms" label="SMS" description="What devices send, and reports on what they get" />
            </Stack>
          </Radio.Group>
          {draft.kind && (
            <FilterForm
              kind={draft.kind}
              choice={choiceFor(draft.kind, draft.choice)}
              change={(choice) => change({ choice })}
              problem={problem}
            />
          )}
          <Select
            label="Of which organisations"
            data={OF}
            value={String(draft.relation)}
            allowDeselect={false}
            onChange={(value) => change({ relation: Number(value ?? 1) as 1 | 2 | 3 })}
          />
          <StartForm
            kind={draft.kind}
            start={draft.start}
            change={(start) => change({ start })}
            fault={faultAt(problem, '/start_from') ?? faultAt(problem, '/continue_from')}
          />
          <Group justify="flex-end">
            <Button type="submit" disabled={!isReady(draft)}>
              Next: destination
            </Button>
          </Group>
        </Stack>
      </form>
    </Paper>
  );
}
