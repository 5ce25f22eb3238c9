import { Text } from '@mantine/core';
import { router } from '../lib/address.ts';
import { useStore } from '../lib/store.ts';
import { Confirm } from './confirm.tsx';

/** Asks before input is lost that is not saved. */
export function LeaveDialog() {
  const question = useStore(router.question);
  return (
    <Confirm
      opened={question !== undefined}
      title="Leave without saving?"
      keep="Stay"
      act="Leave"
      close={() => question?.stay()}
      run={() => question?.leave()}
    >
      <Text>What you typed here is not saved. If you leave, it is lost.</Text>
    </Confirm>
  );
}
