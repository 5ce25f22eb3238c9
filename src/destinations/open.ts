import type {
  Cause,
  Credentials,
  Destination,
  DestinationEnvironment,
  DestinationType,
  Format,
  Gathering,
} from './contract.ts';
import type { SharedEgress } from './egress.ts';
import { type CloudGrant, grantedTo } from './grants.ts';
import { type CallsUnderWay, waitsFor } from './under-way.ts';

/** The parts of a stream's document that opening its destination needs. */
interface StreamToOpen {
  readonly id: string;
  readonly organisationId: number;
  readonly connectionType: string;
  readonly format: Format;
  readonly sealedCredentials: string;
}

type OpenResult =
  | {
      readonly type: 'open';
      readonly destination: Destination;
      readonly gathering: Gathering;
      /** The reason why its oldest call waits at this moment, in words; undefined: no call is in flight. */
      readonly waitsFor?: () => string | undefined;
    }
  | {
      readonly type: 'failed';
      readonly cause: Cause;
      /** The person who must act: the stream's owner, or the operator of this simstream. */
      readonly actor: 'customer' | 'operator';
    };

interface OpenerParts {
  readonly types: ReadonlyMap<string, DestinationType>;
  /** Opens what auth/seal.ts sealed for this stream. */
  unseal(
    stream: StreamToOpen,
  ):
    | { readonly type: 'opened'; readonly value: unknown }
    | { readonly type: 'fault'; readonly message: string };
  readonly environment: SharedEnvironment;
}

/** The parts that all destinations of a node share. Each organisation has its own way out. */
export interface SharedEnvironment
  extends Omit<DestinationEnvironment, 'organisationId' | 'streamId' | 'egress' | 'granted'> {
  readonly egress: SharedEgress;
  readonly grants?: readonly CloudGrant[];
}

/** The environment of a destination of one organisation. */
export function environmentOf(
  shared: SharedEnvironment,
  stream: { readonly organisationId: number; readonly streamId: string },
): DestinationEnvironment {
  const { grants, ...environment } = shared;
  const { organisationId } = stream;
  const granted = grantedTo(organisationId, grants);
  return { ...environment, ...stream, granted, egress: shared.egress.of(organisationId) };
}

/**
 * Opens the destination of a data stream: unseals its credentials, configures its connector, and loads its SDK, if any. A
 * failure becomes a cause for the stream's owner or the operator. A failed import names the module.
 */
export function createOpener({ types, unseal, environment }: OpenerParts) {
  return async (stream: StreamToOpen): Promise<OpenResult> => {
    const type = types.get(stream.connectionType);
    if (!type) {
      const message = `This simstream node has no connector for ${stream.connectionType}.`;
      return failed('operator', 'unknown_type', message);
    }
    const unsealed = unseal(stream);
    if (unsealed.type === 'fault') {
      return failed(
        'operator',
        'credentials_sealed',
        'simstream cannot open the stored credentials of this stream. Its operator must fix that; or enter the credentials again.',
        `${unsealed.message} Check SIMSTREAM_SECRET.`,
      );
    }
    const configured = type.configure(unsealed.value as Credentials, stream.format);
    if (Array.isArray(configured)) {
      const faults = configured.map((fault) => `${fault.path} ${fault.message}`).join('; ');
      return failed(
        'customer',
        'configuration',
        `The stored configuration is no longer valid: ${faults}. Update the stream.`,
      );
    }
    try {
      const { organisationId, id: streamId } = stream;
      const underWay: CallsUnderWay = new Set();
      const own = environmentOf(environment, { organisationId, streamId });
      const destination = await configured.open({ ...own, underWay });
      const { gathering } = configured;
      return { type: 'open', destination, gathering, waitsFor: () => waitsFor(underWay) };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return failed(
        'operator',
        'connector_failed',
        `simstream could not start its connector ${stream.connectionType}. Its operator must fix that.`,
        reason,
      );
    }
  };
}

function failed(actor: 'customer' | 'operator', code: string, message: string, detail?: string): OpenResult {
  return { type: 'failed', actor, cause: { code, message, ...(detail ? { detail } : {}) } };
}
