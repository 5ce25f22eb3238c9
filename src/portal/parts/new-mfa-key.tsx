import { Alert, Button, Group, Stack, Text, TextInput } from '@mantine/core';
import encodeQR from 'qr';
import { useState } from 'react';
import type { paths } from '../generated/api.ts';
import { api, perform } from '../lib/api.ts';
import { useForm } from '../lib/form.ts';
import { notify } from '../lib/notices.ts';
import { faultAt } from '../lib/problem.ts';
import { change } from '../lib/query.ts';
import { CodeBlock, Failed } from './show.tsx';

export type NewMfaKey = paths['/api/v1/user/mfa']['post']['responses'][200]['content']['application/json'];

/** A key that was just made: how it comes to the phone, and the code that shows that it is there. */
export function NewKey({ created, close }: { readonly created: NewMfaKey; readonly close: () => void }) {
  const form = useForm();
  const [code, setCode] = useState('');
  const submit = form.submit(() =>
    change(
      async () => {
        const body = { status: { id: 1 as const }, code: code.trim() };
        const params = { path: { key_id: String(created.id) } };
        const call = api.PATCH('/api/v1/user/mfa/{key_id}', { params, body });
        const { logged } = await perform('PATCH', `/api/v1/user/mfa/${created.id}`, body, call);
        notify({ text: 'The second factor is active.', tone: 'done', call: logged });
        close();
      },
      undefined,
      ['user'],
    ),
  );
  return (
    <form onSubmit={submit} aria-label="Activate the second factor">
      <Stack gap="sm" align="flex-start">
        <Text>1. Scan this picture with an authenticator app, or type the key into it.</Text>
        <QrCode text={created.otpauth} />
        <CodeBlock text={created.secret_key} label="Key" />
        <Text>2. Keep these recovery codes in a safe place. Each lets you in once without your phone.</Text>
        <CodeBlock text={created.recovery_codes.join('\n')} label="Recovery codes" />
        <Alert color="yellow" variant="outline" role="note">
          The key and the codes are shown only now.
        </Alert>
        <TextInput
          label="3. The code that the app shows now"
          autoComplete="one-time-code"
          required
          value={code}
          error={faultAt(form.problem, '/code') ?? null}
          onChange={(event) => setCode(event.currentTarget.value)}
        />
        {form.problem && !faultAt(form.problem, '/code') && <Failed problem={form.problem} />}
        <Group>
          <Button type="submit" loading={form.busy}>
            Activate
          </Button>
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

/** Dark on light in both schemes: some cameras do not read it the other way round. */
function QrCode({ text }: { readonly text: string }) {
  const rows = encodeQR(text, 'raw', { ecc: 'medium', border: 2 });
  const path = rows.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : ''))).join('');
  return (
    <svg
      role="img"
      aria-label="QR code of the key"
      viewBox={`0 0 ${rows.length} ${rows.length}`}
      width={200}
      height={200}
      shapeRendering="crispEdges"
    >
      <rect width="100%" height="100%" fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  );
}
