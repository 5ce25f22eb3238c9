import { Paper, Stack, Switch, Text, Title } from '@mantine/core';
import { useState } from 'react';
import { api, perform, read } from '../lib/api.ts';
import { notify } from '../lib/notices.ts';
import { type Problem, problemFrom } from '../lib/problem.ts';
import { change, useRead } from '../lib/query.ts';
import { Failed } from './show.tsx';

const PATH = '/api/v1/organisation/my';

/** Whether everybody of the organisation needs a second factor. For administrators. */
export function RequireMfa() {
  const organisation = useRead(['organisation'], (signal) => read(api.GET(PATH, { signal })));
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const required = organisation.data?.mfa_required ?? false;
  const wish = async (wanted: boolean) => {
    setBusy(true);
    setProblem(undefined);
    const body = { mfa_required: wanted };
    try {
      const call = () => perform('PATCH', PATH, body, api.PATCH(PATH, { body }));
      const { logged } = await change(call, undefined, ['organisation']);
      const text = wanted ? 'Everybody needs a second factor now.' : 'A second factor is no longer required.';
      notify({ text, tone: 'done', call: logged });
    } catch (error) {
      setProblem(problemFrom(error));
    }
    setBusy(false);
  };
  return (
    <Paper withBorder p="lg" component="section" aria-label="Second factor of all users">
      <Stack gap="sm">
        <Title order={2} size="h4">
          Second factor of all users
        </Title>
        <Text size="sm">
          Users without one are signed out at once, and set one up at their next login. Application tokens are
          not affected.
        </Text>
        <Switch
          label="Require a second factor of all users"
          checked={required}
          disabled={busy || !organisation.data}
          onChange={(event) => void wish(event.currentTarget.checked)}
        />
        {organisation.problem && (
          <Failed problem={organisation.problem} retry={() => void organisation.reload()} />
        )}
        {problem && <Failed problem={problem} title="Nothing is changed" />}
      </Stack>
    </Paper>
  );
}
