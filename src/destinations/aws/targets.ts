import type { Role } from './names.ts';

/** The Kinesis data stream of a data stream, and the role that may write to it. */
export interface KinesisTarget {
  readonly region: string;
  readonly name: string;
  readonly role: Role;
  /** Whether each record is sent as a CloudEvent. */
  readonly events?: boolean;
}

/** The S3 bucket of a data stream, and the role that may write to it. */
export interface BucketTarget {
  readonly region: string;
  readonly bucket: string;
  readonly role: Role;
  /** Of each object: encryption, storage class and the like. In lower case. */
  readonly headers?: Readonly<Record<string, string>>;
}
