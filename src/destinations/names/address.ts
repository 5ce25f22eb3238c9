/** An address of a host; as node:dns has it. */
export interface Address {
  readonly address: string;
  readonly family: 4 | 6;
}
