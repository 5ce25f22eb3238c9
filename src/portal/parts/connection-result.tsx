import { Alert } from '@mantine/core';
import type { TestAnswer } from '../lib/destination.ts';
import { Message } from './show.tsx';

/** The result of a connection test, and no more than that. */
export function ConnectionResult({ answer }: { readonly answer: TestAnswer | undefined }) {
  if (!answer) return null;
  const whole = answer.checked === 'access';
  return (
    <Alert
      color={whole ? 'green' : 'blue'}
      variant="outline"
      title={whole ? 'The destination can be used' : 'The address answers'}
      role="status"
      className="wrap"
    >
      <Message text={answer.message} />
    </Alert>
  );
}
