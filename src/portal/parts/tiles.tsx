import { Button, Group, Paper, Stack, Text, ThemeIcon, Title } from '@mantine/core';
import { linkTo } from '../lib/address.ts';
import type { ConnectionType } from '../lib/api.ts';
import { useSession } from '../lib/session.ts';
import { Icon } from './icons.tsx';

/** All connection types, each with a way to add a stream to it. */
export function Tiles({
  types,
  linkOf,
}: {
  readonly types: readonly ConnectionType[];
  /** Where a choice leads. */
  readonly linkOf: (type: string) => string;
}) {
  const { canWrite } = useSession();
  return (
    <ul className="tiles">
      {types.map(({ id, description, summary, icon }) => (
        <Paper withBorder p="md" component="li" key={id}>
          <Stack h="100%" gap="sm" justify="space-between">
            <Stack gap="xs">
              <Group gap="sm" wrap="nowrap">
                <ThemeIcon variant="default" size={40}>
                  <Icon path={icon} size={24} />
                </ThemeIcon>
                <Title order={2} size="h4">
                  {description}
                </Title>
              </Group>
              <Text size="sm" c="dimmed">
                {summary}
              </Text>
            </Stack>
            {canWrite && (
              <Button
                component="a"
                variant="default"
                aria-label={`Add ${description}`}
                {...linkTo(linkOf(id))}
              >
                Add
              </Button>
            )}
          </Stack>
        </Paper>
      ))}
    </ul>
  );
}
