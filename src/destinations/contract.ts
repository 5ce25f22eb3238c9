import type { Static, TObject } from 'typebox';
import type { Clock, Random } from '../lib/clock.ts';
import type { Position } from '../log/log.ts';
import type { Block, RecordKind } from '../records/block.ts';
import type { Format as RecordFormat } from '../records/formats.ts';
import type { Egress } from './egress.ts';
import type { CallsUnderWay } from './under-way.ts';

/**
 * A connector. The engine owns batching, retry, concurrency, metrics and acknowledgement, so a connector sees no cursor, no
 * retry count, no timer and no tenant registry. It gets a configuration once, then batches, and returns the outcome of each.
 */
export interface DestinationType {
  /** emnify's name, e.g. `RestAPI`; the value of `destination.connection_type`. */
  readonly connectionType: string;
  /** For the lookup and the portal: the name a person knows, and one line of use. */
  readonly title: string;
  readonly summary: string;
  /** The portal's icon: the path of a line drawing in a box of 24 by 24, as in SVG's `d`. */
  readonly icon: string;
  /** The customer's steps at the destination before a stream can deliver to it. The portal shows them beside the form. */
  readonly setup: readonly SetupStep[];
  /** The formats of records/formats.ts that it can carry; the first is the default. */
  readonly formats: readonly Format[];
  /** The kinds of records that it can carry; missing: all. */
  readonly kinds?: readonly RecordKind[];
  /**
   * The schema of `destination.credentials`: the one source of validation, OpenAPI, lookup, form, masking and docs.
   * Each property has `title` and `description`; `default`, `minimum`, `maximum`, `enum`, `examples` where they apply.
   * `x-secret: "all"` masks the whole value (`***`), `"headers"` the value part of `name:value` strings,
   * `"connectionString"` the value of SharedAccessKey, `"url"` the parts of a URL that url-secrets.ts names.
   * `x-generate: "whsec"` lets a form make up the value: `whsec_` and 32 random bytes in base64.
   */
  readonly credentials: TObject;
  /**
   * Turns credentials that satisfy the schema, with defaults, into a configured destination. Or returns the faults that a
   * schema cannot express (a malformed URL, a connection string without EntityPath). No I/O, loads no SDK.
   */
  configure(credentials: Credentials, format: Format): Configured | ConfigurationFault[];
}

export interface SetupStep {
  /** A sentence or two. `**…**` marks names that the vendor's pages show, backticks mark code. */
  readonly text: string;
  /**
   * A text to copy. `{aws_principal}`, `{aws_external_id}` and `{google_service_account}` stand for what the platform
   * operator has set; the API's lookup of the platform has them under these names.
   */
  readonly copy?: { readonly label: string; readonly text: string };
}

/** See records/formats.ts. */
export type Format = RecordFormat;
export type Credentials = Readonly<Record<string, unknown>>;

export interface ConfigurationFault {
  /** JSON pointer inside `credentials`, e.g. `/url`. */
  readonly path: string;
  readonly message: string;
}

export interface Configured {
  /** The destination for people, without secrets: `https://example.com/in`, `s3://bucket`. */
  readonly target: string;
  /** The receiver of the secrets: host, namespace, account. A change to another receiver must give its secrets again. */
  readonly identity: string;
  /** The place at the receiver, if several parties may share it: the whole URL. A mask with another address is refused. */
  readonly address?: string;
  readonly gathering: Gathering;
  /** Loads the SDK if there is one and returns the destination; opens no connection before `verify` or a send. */
  open(environment: DestinationEnvironment): Promise<Destination>;
}

/** How the engine gathers records for the connector. */
export type Gathering =
  | {
      readonly by: 'batch';
      /** The most records and bytes of records in one send. The engine never sends more, and never waits for more. */
      readonly records: number;
      readonly bytes: number;
      /** Bytes of copies that a send makes beside each byte of records; they count in the memory of the stream. Missing: none. */
      readonly copies?: number;
      /**
       * The destination keeps order by key only: requests of different keys may be in flight at the same time, up to
       * `inFlight`, and a failure holds up its own keys. Missing: the stream is one lane, one request at a time.
       */
      readonly lanes?: { readonly by: 'endpoint'; readonly inFlight: number };
    }
  | {
      readonly by: 'file';
      /** A file is closed after this many records, or this long after its first record, whichever comes first. */
      readonly records: number;
      readonly intervalMs: number;
    };

export interface DestinationEnvironment {
  readonly organisationId: number;
  readonly streamId: string;
  readonly clock: Clock;
  readonly random: Random;
  /**
   * Cloud resources that the operator has granted to this organisation, see grants.ts. To any other one a connector that uses
   * simstream's own identity must find a proof that it is meant for this organisation.
   */
  readonly granted?: readonly string[];
  /** The only way out: checks addresses at connect time. */
  readonly egress: Egress;
  /** The list of calls in flight to the destination; missing: not kept. */
  readonly underWay?: CallsUnderWay;
  /** The process environment, for the vendors' own variables (`AWS_ENDPOINT_URL_KINESIS`, `DD_URL` …). */
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** The directory for a connector's temporary files; emptied at start. */
  readonly scratchDirectory: string;
}

export type Destination = BatchDestination | FileDestination;

interface Verifiable {
  /** Reaches the destination, and checks as much as possible without delivering a record. */
  verify(signal: AbortSignal): Promise<Verdict>;
  /** Closes connections. Called once, when no send is running. */
  close(): Promise<void>;
}

export interface BatchDestination extends Verifiable {
  readonly takes: 'batches';
  /** Delivers a batch. Never throws for a fault of the peer: that is an outcome. Obeys `signal` promptly. */
  send(batch: Batch, signal: AbortSignal): Promise<Outcome>;
}

export interface FileDestination extends Verifiable {
  readonly takes: 'files';
  /** Stores the records as one object whose name is a function of the first position, so that doing it again overwrites it. */
  store(file: RecordFile, signal: AbortSignal): Promise<Outcome>;
}

interface Delivery {
  /** Stable across retries of the same records; two deliveries with the same id hold the same records. */
  readonly deliveryId: string;
  readonly streamId: string;
  readonly organisationId: number;
  readonly kind: RecordKind;
  readonly count: number;
  readonly first: Position;
  readonly last: Position;
  /** When the first record arrived, ms since the epoch. */
  readonly firstArrivedAt: number;
  /** Id of the replay that delivers these records again; undefined: the live flow. What is stored by name has it in its name. */
  readonly replay?: string;
  /**
   * The record is a synthetic one that somebody asked for (TEST_MARK). Where the service carries anything beside records, the
   * connector marks it, and it overwrites nothing.
   */
  readonly test?: true;
  /** The notes on the requests of this delivery, for people; missing: not kept. */
  readonly notes?: Notes;
}

/** Takes what a connector sends and gets in a delivery. It is told nothing of sign-ins. */
export interface Notes {
  /** Requests that succeed are left out. */
  readonly failuresOnly: boolean;
  note(exchange: Exchange): void;
}

/** One request of a delivery and its answer, fit for the customer's eyes: without secrets, bodies cut. */
export interface Exchange {
  readonly method: string;
  readonly url: string;
  /** Name and value; the values of all that may be secret are masked. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: ShownBody;
  /** undefined: none came. */
  readonly answer:
    | {
        readonly status: number;
        readonly headers: readonly (readonly [string, string])[];
        readonly body: ShownBody;
      }
    | undefined;
}

export interface ShownBody {
  readonly text: string;
  /** There is more of it. */
  readonly cut: boolean;
}

/** The name under which a test record is marked: a header, an attribute, a property. Its value is `true`. */
export const TEST_MARK = 'Simstream-Test';

export interface Batch extends Delivery {
  /**
   * The records before this delivery that the stream has given to this destination, or is about to: of the block that arrived
   * last first, back to those that arrived at `since`, ms since the epoch. For a connector whose requests depend on earlier ones,
   * which another process may have made. Some may have been quarantined. Missing: the records are no part of a stream's flow.
   */
  readonly earlier?: (since: number) => AsyncIterable<Segment>;
  /** Bytes of the records, separators not counted. */
  readonly bytes: number;
  /** The records, in order. */
  readonly segments: readonly Segment[];
}

export interface RecordFile extends Delivery {
  /** Paths of fields that hold a hash, a text, whatever their type is. */
  readonly hashed?: readonly string[];
  /** Reads the records from the log, in order, a bounded amount at a time; each call starts again from the first. */
  segments(): AsyncIterable<Segment>;
}

/** Neighbouring records of one block: indexes `from` (included) to `to` (excluded). */
export interface Segment {
  readonly block: Block;
  readonly from: number;
  readonly to: number;
}

export type Verdict =
  /** `checked`: the extent of the check. Default `access`: the destination accepts these credentials; `connection`: the address answers. */
  | { readonly type: 'reachable'; readonly checked?: 'access' | 'connection' }
  | { readonly type: 'failed'; readonly cause: Cause };

/** The cause of a failure, for the customer: what happened, where, and the next step; never a secret. */
export interface Cause {
  /** Stable and low in cardinality, for metrics and charts: `dns_error`, `connection_refused`, `http_503`, `AccessDenied`. */
  readonly code: string;
  readonly message: string;
  /**
   * For a fault of simstream itself: details for the operator that a customer must not see (files, addresses, words
   * of an exception). It goes to the log alone.
   */
  readonly detail?: string;
  /** The status of the remote's answer, if it has one. */
  readonly remoteStatus?: number;
}

export type Outcome =
  /** The destination accepted all records. */
  | { readonly type: 'delivered'; readonly remoteStatus?: number }
  /** No record was accepted, and a retry may help: busy, unreachable, a fault of the service. */
  | {
      readonly type: 'retry';
      readonly cause: Cause;
      readonly afterMs?: number;
      /** The service knows the caller and is throttling it: records of other keys may go on. */
      readonly throttled?: true;
    }
  /** All other records were accepted. `retry`: send again; `reject`: never acceptable. Indexes count within the batch. */
  | { readonly type: 'partial'; readonly failures: readonly RecordFailure[]; readonly afterMs?: number }
  /** A person must fix something: credentials, permission, missing resource. */
  | { readonly type: 'refused'; readonly cause: Cause }
  /** The request was too large as a whole: the engine splits it. */
  | { readonly type: 'too_large'; readonly cause: Cause }
  /** Some of these records are never acceptable; the engine splits the request until it finds them. */
  | { readonly type: 'rejected'; readonly cause: Cause }
  /** simstream's own fault (out of sockets, a shutdown): the engine tries again and never charges it to the stream. */
  | { readonly type: 'platform'; readonly cause: Cause };

export interface RecordFailure {
  readonly index: number;
  readonly verdict: 'retry' | 'reject';
  readonly cause: Cause;
  /**
   * With `reject`: the record itself is the reason (too old for the intake), never the configuration. However many such
   * come in a row, the stream goes on.
   */
  readonly expected?: true;
  /** With `retry`: the service takes no more of this key for now, or of this caller. Records of other keys may go on. */
  readonly throttled?: true;
}

/** A destination type whose `configure` gets the type of its own schema. */
interface TypedDestination<Schema extends TObject>
  extends Omit<DestinationType, 'credentials' | 'configure'> {
  readonly credentials: Schema;
  configure(credentials: Static<Schema>, format: Format): Configured | ConfigurationFault[];
}

/** Makes a destination type; the place where TypeScript checks a connector. */
export function defineDestination<Schema extends TObject>(type: TypedDestination<Schema>): DestinationType {
  // The caller of configure has validated the credentials against the schema.
  return {
    ...type,
    configure: (credentials, format) => type.configure(credentials as Static<Schema>, format),
  };
}
