import { Alert } from '@mantine/core';
import { pace } from '../lib/pace.ts';
import { useNow } from '../lib/query.ts';

/** Says that the page is read less often because the node limits calls. */
export function PaceNotice() {
  useNow();
  const factor = pace.factor();
  return (
    <div role="status">
      {factor > 1 && (
        <Alert color="yellow" variant="outline" mb="md" title="Too many calls at the moment">
          Your organisation makes more calls than this node allows. The figures here are refreshed {factor}{' '}
          times less often until that has passed.
        </Alert>
      )}
    </div>
  );
}
