import { Alert, Button, Group, Stack, Text, TextInput } from '@mantine/core';
import encodeQR from 'qr';
import { useState } from 'react';
import { useForm } from '../lib/form.ts';
import { faultAt } from '../lib/problem.ts';
import type { NewMfaKey } from '../lib/session.ts';
import { CodeBlock, Failed } from './show.tsx';

interface NewKeyProps {
  readonly created: NewMfaKey;
  /** With the code that the app shows. */
  readonly activate: (code: string) => Promise<unknown>;
  readonly close: () => void;
}

/** A new key: how to bring it to the phone, and the code that shows that it works. */
export default function NewKey({ created, activate, close }: NewKeyProps) {
  const form = useForm();
  const [code, setCode] = useState('');
  const submit = form.submit(() => activate(code.trim()));
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
