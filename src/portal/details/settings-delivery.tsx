import { Anchor, Button, Group, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { linkTo } from '../lib/address.ts';
import { deliveryOf, deliveryValues } from '../lib/delivery.ts';
import { privacyOf, privacyValues } from '../lib/privacy.ts';
import { faultAt } from '../lib/problem.ts';
import { kindOfRecords } from '../lib/streams.ts';
import { successorOf, writeDraft } from '../lib/wizard.ts';
import { DeliveryForm, RestartSwitch } from '../parts/delivery-form.tsx';
import { PrivacyForm } from '../parts/privacy-form.tsx';
import { Failed } from '../parts/show.tsx';
import { Section, type SettingsProps, useSave, useSaved } from './settings-form.tsx';

/** Order and pace, and whether the stream tries by itself while it is in Error. */
export function Delivery(props: SettingsProps) {
  const { problem, busy, save } = useSave(props, ({ delivery, auto_restart }) => [delivery, auto_restart]);
  const stored = props.stream.delivery;
  const [values, setValues] = useState(() => deliveryValues(stored));
  const [restarts, setRestarts] = useState(props.stream.auto_restart);
  const saved = useSaved({ values, restarts });
  return (
    <Section title="Order and pace">
      <form
        noValidate
        onSubmit={async (event) => {
          event.preventDefault();
          const delivery = deliveryOf(values, stored) ?? {};
          const body = { delivery, auto_restart: restarts };
          if (await save(body, 'Order and pace are changed.')) saved({ values, restarts });
        }}
      >
        <Stack>
          <Text size="sm">A change takes effect after the requests in flight, and repeats nothing.</Text>
          <DeliveryForm values={values} change={setValues} problem={problem} />
          <RestartSwitch on={restarts} change={setRestarts} />
          {problem && !faultAt(problem, '/delivery') && <Failed problem={problem} />}
          <Group>
            <Button type="submit" loading={busy}>
              Save order and pace
            </Button>
          </Group>
        </Stack>
      </form>
    </Section>
  );
}

/** The fields that the receiver does not get. */
export function Privacy(props: SettingsProps) {
  const { problem, busy, save } = useSave(props, (one) => one.privacy);
  const [values, setValues] = useState(() => privacyValues(props.stream.privacy));
  const saved = useSaved(values);
  return (
    <Section title="Privacy">
      <form
        noValidate
        onSubmit={async (event) => {
          event.preventDefault();
          if (await save({ privacy: privacyOf(values) ?? {} }, 'Privacy is changed.')) saved(values);
        }}
      >
        <Stack>
          <Text size="sm">What the receiver does not get. It holds for all that is not delivered yet.</Text>
          <PrivacyForm
            kind={kindOfRecords(props.stream)}
            values={values}
            change={setValues}
            problem={problem}
          />
          {problem && !faultAt(problem, '/privacy') && <Failed problem={problem} />}
          <Group>
            <Button type="submit" loading={busy}>
              Save privacy
            </Button>
          </Group>
        </Stack>
      </form>
    </Section>
  );
}

/** A new stream that takes over from this one. */
export function Successor({ stream }: SettingsProps) {
  const { taken_over_by } = stream;
  return (
    <Section title="Take over">
      <Stack align="flex-start">
        {taken_over_by === undefined ? (
          <>
            <Text size="sm">
              A new data stream can go on exactly where this one ends, to any destination. This one is paused
              then and stays as the way back. Together they deliver each record once.
            </Text>
            <Button component="a" variant="default" {...linkTo(writeDraft(successorOf(stream)))}>
              Add a data stream that takes over
            </Button>
          </>
        ) : (
          <Text size="sm">
            Data stream <Anchor {...linkTo(`/data-streams/${taken_over_by}`)}>{taken_over_by}</Anchor> took
            over from this one. To go back, delete that one, then switch this one on: it goes on from its own
            place, and so delivers again what that one delivered.
          </Text>
        )}
      </Stack>
    </Section>
  );
}
