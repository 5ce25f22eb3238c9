import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import { router } from '../lib/address.ts';
import { useStore } from '../lib/store.ts';

/** Asks before input is lost that is not saved. */
export function LeaveDialog() {
  const question = useStore(router.question);
  return (
    <Modal
      opened={question !== undefined}
      onClose={() => question?.stay()}
      title="Leave without saving?"
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <Stack>
        <Text>What you typed here is not saved. If you leave, it is lost.</Text>
        <Group justify="flex-end">
          <Button variant="default" onClick={() => question?.stay()} data-autofocus>
            Stay
          </Button>
          <Button color="red.9" onClick={() => question?.leave()}>
            Leave
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
