import { Paper, Stack } from '@mantine/core';
import { type Sessions, useSession } from '../lib/session.ts';
import { visible } from '../lib/text.ts';
import { Heading } from '../parts/heading.tsx';
import { OwnPassword } from '../parts/own-password.tsx';
import { SecondFactor } from '../parts/second-factor.tsx';
import { Fact } from '../parts/show.tsx';

/** The settings of the user who is signed in. */
export default function Account({ changePassword }: { readonly changePassword: Sessions['changePassword'] }) {
  const { username, name, role, organisation } = useSession();
  return (
    <Stack gap="lg">
      <Heading title="My account" />
      <Paper withBorder p="lg" component="section" aria-label="You">
        <dl className="facts wide">
          <Fact name="Username">
            <bdi>{visible(username)}</bdi>
          </Fact>
          <Fact name="Name">
            <bdi>{visible(name)}</bdi>
          </Fact>
          <Fact name="Role">{role}</Fact>
          <Fact name="Organisation">
            <bdi>{visible(organisation.name)}</bdi> ({organisation.id})
          </Fact>
        </dl>
      </Paper>
      <OwnPassword username={username} changePassword={changePassword} />
      <SecondFactor />
    </Stack>
  );
}
