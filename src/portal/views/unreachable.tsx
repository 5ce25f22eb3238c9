import { Alert, Button, Center, Paper, Stack, Text, Title } from '@mantine/core';
import { useEffect, useState } from 'react';
import type { Problem } from '../lib/problem.ts';

const AGAIN_AFTER = 5000;

/** The page has a login, and cannot find out whether it still holds. */
export function Unreachable({
  problem,
  retry,
}: {
  readonly problem: Problem;
  readonly retry: () => Promise<void>;
}) {
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    document.title = 'Not reachable · simstream';
    const timer = window.setInterval(() => void retry(), AGAIN_AFTER);
    return () => window.clearInterval(timer);
  }, [retry]);
  const tryNow = async () => {
    setBusy(true);
    await retry();
    setBusy(false);
  };
  return (
    <Center component="main" mih="100vh" p="md">
      <Paper withBorder p="xl" w="100%" maw={480} shadow="sm">
        <Stack>
          <Title order={1} size="h2">
            The node does not answer
          </Title>
          <Text>You are still signed in. The page goes on as soon as the node answers.</Text>
          <Alert color="red" variant="outline" role="alert" className="wrap">
            {problem.message}
          </Alert>
          <Button onClick={() => void tryNow()} loading={busy}>
            Try again now
          </Button>
        </Stack>
      </Paper>
    </Center>
  );
}
