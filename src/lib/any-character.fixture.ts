import { fc } from './property.fixture.ts';

/** Surrogates are not characters by themselves. */
const FIRST_SURROGATE = 0xd800;
const SURROGATES = 0x800;
const LAST_CHARACTER = 0x10ffff;

/**
 * For property tests: a unit of `fc.string` like 'binary', any one character of Unicode. fast-check's own unit keeps a
 * table of all of them, a million; filling it takes each process half a second.
 */
export const anyCharacter = fc
  .nat({ max: LAST_CHARACTER - SURROGATES })
  .map((place) => String.fromCodePoint(place < FIRST_SURROGATE ? place : place + SURROGATES), placeOf);

/** fast-check needs it to shrink, and to know which of its own texts (`__proto__`) consist of these characters. */
function placeOf(character: unknown): number {
  const code = typeof character === 'string' ? character.codePointAt(0) : undefined;
  if (code === undefined || String.fromCodePoint(code) !== character) throw new Error('not one character');
  if (code >= FIRST_SURROGATE && code < FIRST_SURROGATE + SURROGATES) throw new Error('half a character');
  return code < FIRST_SURROGATE ? code : code - SURROGATES;
}
