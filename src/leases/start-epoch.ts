import { documentKind } from '../registry/documents.ts';
import { registryKey } from '../registry/registry.ts';

/** The epoch of the latest start of a node that does not share its storage. */
interface StartEpochDocument {
  readonly epoch: number;
}

export const START_EPOCH = documentKind<StartEpochDocument>({ prefix: 'lease' });
export const START_EPOCH_KEY = registryKey(START_EPOCH.prefix, 'epoch');
