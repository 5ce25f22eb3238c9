import { List, Paper, Stack, Text, Title } from '@mantine/core';
import type { components } from '../generated/api.ts';
import type { ConnectionType } from '../lib/api.ts';
import { usePlatform } from '../lib/reads.ts';
import { Marked } from './marked.tsx';
import { CodeBlock } from './show.tsx';

type Platform = components['schemas']['Platform'];
type Step = ConnectionType['setup'][number];

/** The steps at the destination before a stream can deliver to it; the connection type brings them. */
export function SetupGuide({ type }: { readonly type: ConnectionType }) {
  const platform = usePlatform();
  return (
    <Paper withBorder p="md" component="aside" aria-label="Setup guide">
      <Stack gap="sm">
        <Title order={2} size="h4">
          Setup guide
        </Title>
        <List type="ordered" size="sm" spacing="xs" pr="sm" className="steps">
          {type.setup.map((step) => (
            <List.Item key={step.text}>
              <Step step={step} platform={platform.data} />
            </List.Item>
          ))}
        </List>
        <Text size="sm" c="dimmed">
          Test connection reaches the destination without delivering a record. Once the data stream is
          created, Send test record shows whether it takes one.
        </Text>
      </Stack>
    </Paper>
  );
}

function Step({ step, platform }: { readonly step: Step; readonly platform: Platform | undefined }) {
  const { text, missing } = filled(step.copy?.text ?? '', platform);
  return (
    <Stack gap="xs">
      <span>
        <Marked text={step.text} />
        {platform && missing.length > 0 && (
          <>
            {' '}
            Ask the platform operator what to write for <code>{missing.join(', ')}</code>.
          </>
        )}
      </span>
      {step.copy && <CodeBlock text={text} label={step.copy.label} />}
    </Stack>
  );
}

/** A text with the platform's values in the place of `{…}`; a value that the operator has not set shows as its name. */
function filled(text: string, platform: Platform | undefined): { text: string; missing: string[] } {
  const values: Readonly<Record<string, unknown>> = { ...platform };
  const missing: string[] = [];
  const whole = text.replace(/\{([a-z_]+)\}/g, (_, name: string) => {
    const value = values[name];
    if (typeof value === 'string') return value;
    const placeholder = name.toUpperCase().replaceAll('_', '-');
    missing.push(placeholder);
    return placeholder;
  });
  return { text: whole, missing };
}
