import { Anchor, Stack, Text } from '@mantine/core';
import { linkTo } from '../lib/address.ts';
import { HOME } from '../lib/router.ts';
import { Heading } from '../parts/heading.tsx';

export function NotFound() {
  return (
    <Stack>
      <Heading title="This page does not exist" />
      <Text>The address may be mistyped, or the page it named is gone.</Text>
      <Anchor {...linkTo(HOME)}>Go to the data streams</Anchor>
    </Stack>
  );
}
