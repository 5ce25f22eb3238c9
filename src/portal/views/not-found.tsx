import { Anchor, Stack, Text, Title } from '@mantine/core';
import { linkTo } from '../lib/router.ts';

export function NotFound() {
  return (
    <Stack>
      <Title order={1}>There is nothing here</Title>
      <Text>The address may be mistyped, or what was here is gone.</Text>
      <Anchor {...linkTo('/data-streams')}>To the data streams</Anchor>
    </Stack>
  );
}
