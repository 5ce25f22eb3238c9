import { Stack } from '@mantine/core';
import type { StreamOptions } from '../lib/options.ts';
import type { Problem } from '../lib/problem.ts';
import type { RecordsKind } from '../lib/streams.ts';
import { DeliveryForm, RestartSwitch } from './delivery-form.tsx';
import { PrivacyForm } from './privacy-form.tsx';

/** Options of a new stream, each group closed until it is wanted. */
export function OptionsForm({
  kind,
  options,
  change,
  problem,
}: {
  readonly kind: RecordsKind;
  readonly options: StreamOptions;
  readonly change: (options: StreamOptions) => void;
  readonly problem: Problem | undefined;
}) {
  return (
    <>
      <details>
        <summary>Order, pace and errors</summary>
        <Stack mt="sm">
          <DeliveryForm
            values={options.delivery}
            change={(delivery) => change({ ...options, delivery })}
            problem={problem}
          />
          <RestartSwitch on={options.restarts} change={(restarts) => change({ ...options, restarts })} />
        </Stack>
      </details>
      <details>
        <summary>Privacy: fields that the receiver does not get</summary>
        <Stack mt="sm">
          <PrivacyForm
            kind={kind}
            values={options.privacy}
            change={(privacy) => change({ ...options, privacy })}
            problem={problem}
          />
        </Stack>
      </details>
    </>
  );
}
