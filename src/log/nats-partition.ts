/** The JetStream stream of a partition, and its extent as this node knows it. Both ends only increase. */
export interface NatsPartition {
  readonly partition: number;
  readonly stream: string;
  readonly subject: string;
  first: number;
  next: number;
  /** L6: the latest arrival that this node knows of, ms since the epoch. */
  arrivedAt: number;
}
