import type { Position } from '../../log/log.ts';
import type { Json } from '../../registry/registry.ts';
import { QUARANTINE, readPlace } from './document.ts';

/** The places of a document's records in the log. */
export function positionsIn(place: string, value: Json): readonly Position[] {
  const document = QUARANTINE.parse(value);
  if ('version' in document) return document.notes.map(({ position }) => position);
  return [readPlace(place) ?? { sequence: 0, index: 0 }];
}
