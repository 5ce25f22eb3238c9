import type {
  Cause,
  Credentials,
  Destination,
  DestinationEnvironment,
  DestinationType,
  Gathering,
} from './contract.ts';

/** Of a stream's document, what opening its destination needs. */
interface StreamToOpen {
  readonly id: string;
  readonly organisationId: number;
  readonly connectionType: string;
  readonly format: 'Json' | 'Csv';
  readonly sealedCredentials: string;
}

type OpenResult =
  | { readonly type: 'open'; readonly destination: Destination; readonly gathering: Gathering }
  | { readonly type: 'failed'; readonly cause: Cause };

interface OpenerParts {
  readonly types: ReadonlyMap<string, DestinationType>;
  /** Opens what auth/seal.ts sealed for this stream. */
  unseal(
    stream: StreamToOpen,
  ):
    | { readonly type: 'opened'; readonly value: unknown }
    | { readonly type: 'fault'; readonly message: string };
  readonly environment: Omit<DestinationEnvironment, 'organisationId' | 'streamId'>;
}

/**
 * Opens the destination of a data stream: unseals its credentials, configures its connector, loads the SDK if there is
 * one. What fails is a cause for the stream's owner or operator to act on; a failed import says which module.
 */
export function createOpener({ types, unseal, environment }: OpenerParts) {
  return async (stream: StreamToOpen): Promise<OpenResult> => {
    const type = types.get(stream.connectionType);
    if (!type) return failed('unknown_type', `This node has no connector for ${stream.connectionType}.`);
    const unsealed = unseal(stream);
    if (unsealed.type === 'fault') {
      return failed(
        'credentials_sealed',
        `The stored credentials cannot be read (${unsealed.message}). Enter them again.`,
      );
    }
    const configured = type.configure(unsealed.value as Credentials, stream.format);
    if (Array.isArray(configured)) {
      const faults = configured.map((fault) => `${fault.path} ${fault.message}`).join('; ');
      return failed(
        'configuration',
        `The stored configuration is no longer valid: ${faults}. Update the stream.`,
      );
    }
    try {
      const destination = await configured.open({
        ...environment,
        organisationId: stream.organisationId,
        streamId: stream.id,
      });
      return { type: 'open', destination, gathering: configured.gathering };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return failed(
        'connector_failed',
        `The connector ${stream.connectionType} could not be started: ${reason}`,
      );
    }
  };
}

function failed(code: string, message: string): OpenResult {
  return { type: 'failed', cause: { code, message } };
}
