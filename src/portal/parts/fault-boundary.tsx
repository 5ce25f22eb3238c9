import { Alert, Button, Stack, Text, Title } from '@mantine/core';
import { Component, type ReactNode } from 'react';

interface State {
  readonly fault: Error | undefined;
}

/** Says so when a view cannot be drawn, where React alone would leave an empty page. */
export class FaultBoundary extends Component<{ readonly children: ReactNode }, State> {
  override state: State = { fault: undefined };

  static getDerivedStateFromError(fault: Error): State {
    return { fault };
  }

  override render() {
    const { fault } = this.state;
    if (!fault) return this.props.children;
    const missing = isMissingPart(fault);
    return (
      <Stack align="flex-start">
        <Title order={1}>{missing ? 'The portal was updated' : 'This view cannot be shown'}</Title>
        <Alert color="red" variant="outline" role="alert" className="wrap">
          <Text size="sm">
            {missing
              ? 'A part of this page could not be loaded. Most likely a new version was installed while the page was open. Reload the page to use it; your login is kept.'
              : `The page met a fault of its own: ${fault.message}. Reload the page, or go to another view.`}
          </Text>
        </Alert>
        <Button onClick={() => window.location.reload()}>Reload the page</Button>
      </Stack>
    );
  }
}

/** Browsers name it differently: a part of the program, or its styles, did not arrive. */
function isMissingPart({ message }: Error): boolean {
  return /dynamically imported module|importing a module script|preload CSS|module script failed/i.test(
    message,
  );
}
