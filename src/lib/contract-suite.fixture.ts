import { describe, test } from 'node:test';

/** The surroundings of one test of an adapter. */
export interface ContractWorld {
  /** Closes everything that the test opened; stored data stays. */
  close(): Promise<void>;
  /** Removes the store. Called once, at the end, after `close`. */
  destroy(): Promise<void>;
}

/** The parts that the test of an adapter gives to the contract suite of its port. */
export interface ContractHarness<World extends ContractWorld> {
  /** A new, empty store. */
  create(): Promise<World>;
  /** Titles of tests that this adapter is excused from, each with the reason. */
  readonly deviations?: { readonly [title: string]: string };
}

export type ContractTests<World> = { readonly [title: string]: (world: World) => Promise<void> };

/** Runs the contract suite of a port with one adapter, each test in a new world. */
export function runContract<World extends ContractWorld>(
  port: string,
  adapter: string,
  tests: ContractTests<World>,
  harness: ContractHarness<World>,
): void {
  describe(`${port}: ${adapter}`, () => {
    for (const title of Object.keys(harness.deviations ?? {}))
      if (!(title in tests)) throw new Error(`${adapter} deviates from a test that does not exist: ${title}`);

    for (const [title, body] of Object.entries(tests)) {
      const excuse = harness.deviations?.[title];
      // An adapter that loses a notification would keep its test waiting for ever: the limit makes that a failure.
      test(title, { timeout: 60_000, ...(excuse ? { skip: excuse } : {}) }, async () => {
        const world = await harness.create();
        try {
          await body(world);
        } finally {
          await world.close();
          await world.destroy();
        }
      });
    }
  });
}
