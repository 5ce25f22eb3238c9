import type { ContractTests, ContractWorld } from '../lib/contract-suite.fixture.ts';
import type { Registry } from './registry.ts';

export interface RegistryWorld extends ContractWorld {
  /** Opens the registry; after `close`, opens it again, as after a restart of the process. */
  open(): Promise<Registry>;
  /** From now on writes fail, or succeed again. */
  failWrites(failing: boolean): void;
}

export type RegistryTests = ContractTests<RegistryWorld>;
