import { NumberInput, Radio, Stack, Switch } from '@mantine/core';
import { type DeliveryValues, LIMITS } from '../lib/delivery.ts';
import { faultAt, type Problem } from '../lib/problem.ts';

/** Order and pace of the requests of a data stream. */
export function DeliveryForm({
  values,
  change,
  problem,
}: {
  readonly values: DeliveryValues;
  readonly change: (values: DeliveryValues) => void;
  readonly problem?: Problem | undefined;
}) {
  const { ordering, limits } = values;
  return (
    <Stack maw={560}>
      <Radio.Group
        label="Order of the records"
        value={ordering}
        onChange={(chosen) => change({ ...values, ordering: chosen as DeliveryValues['ordering'] })}
        error={faultAt(problem, '/delivery/ordering') ?? null}
      >
        <Stack gap="xs" mt="xs">
          <Radio
            value="stream"
            label="Of the stream"
            description="One request at a time, in the order of arrival"
          />
          <Radio
            value="device"
            label="Of each endpoint"
            description="Several requests at the same time, never two for one endpoint: faster where answers are slow"
          />
        </Stack>
      </Radio.Group>
      {LIMITS.filter(({ byDevice }) => !byDevice || ordering === 'device').map(({ field, label, help }) => (
        <NumberInput
          key={field}
          name={field}
          label={label}
          description={help}
          value={limits[field]}
          allowDecimal={false}
          // A value out of range stays as typed: the node explains the fault.
          clampBehavior="none"
          hideControls
          error={faultAt(problem, `/delivery/${field}`) ?? null}
          onChange={(value) => change({ ...values, limits: { ...limits, [field]: value } })}
        />
      ))}
    </Stack>
  );
}

/** Whether the stream tries by itself while it is in Error. */
export function RestartSwitch({
  on,
  change,
}: {
  readonly on: boolean;
  readonly change: (on: boolean) => void;
}) {
  return (
    <Switch
      label="In Error, try again by itself"
      description="A few records after a minute, then after growing pauses of up to an hour. Otherwise the stream waits until somebody restarts it."
      checked={on}
      onChange={(event) => change(event.currentTarget.checked)}
    />
  );
}
