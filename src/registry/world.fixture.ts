import type { ContractTests, ContractWorld } from '../lib/contract-suite.fixture.ts';
import type { Registry } from './registry.ts';

export interface RegistryWorld extends ContractWorld {
  /** Opens the registry; again, as after a restart of the process, when `close` was called before. */
  open(): Promise<Registry>;
  /** From now on writes fail, or no longer do. */
  failWrites(failing: boolean): void;
}

export type RegistryTests = ContractTests<RegistryWorld>;
