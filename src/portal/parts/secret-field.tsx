import { Button, Group, PasswordInput, type PasswordInputProps, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { newSigningSecret } from '../lib/schema.ts';
import { Copy } from './show.tsx';

interface Props extends Omit<PasswordInputProps, 'onChange' | 'value'> {
  readonly label: string;
  readonly value: string;
  readonly set: (value: string) => void;
  /** Whether the other side takes any secret, so that one can be made up here. */
  readonly canGenerate: boolean;
}

/** A secret. One that is made up here has to be copied to the other side. */
export function SecretField({ label, value, set, canGenerate, ...input }: Props) {
  const [made, setMade] = useState<string>();
  return (
    <Stack gap={6}>
      <PasswordInput
        {...input}
        label={label}
        value={value}
        autoComplete="new-password"
        onChange={(event) => set(event.currentTarget.value)}
        visibilityToggleButtonProps={{ 'aria-label': `Show or hide ${label}`, tabIndex: 0 }}
      />
      {canGenerate && (
        <Group gap="xs">
          <Button
            size="xs"
            variant="default"
            onClick={() => {
              const secret = newSigningSecret((bytes) => crypto.getRandomValues(bytes));
              setMade(secret);
              set(secret);
            }}
          >
            Generate
          </Button>
          {made !== undefined && made === value && (
            <>
              <Copy text={made} label={`Copy ${label}`} />
              <Text size="sm" role="status">
                Copy it to your receiver now: it is not shown again.
              </Text>
            </>
          )}
        </Group>
      )}
    </Stack>
  );
}
