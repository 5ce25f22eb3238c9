/** The JetStream stream of a partition, and its extent as far as this node knows: both ends only ever grow. */
export interface NatsPartition {
  readonly partition: number;
  readonly stream: string;
  readonly subject: string;
  first: number;
  next: number;
  /** L6: the latest arrival that this node knows of, ms since the epoch. */
  arrivedAt: number;
}
