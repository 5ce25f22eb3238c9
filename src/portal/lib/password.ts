/** Shorter passwords are guessed too quickly. The node gets only a digest, and cannot tell. */
export const SHORTEST_PASSWORD = 10;

/** Why a new password is refused, in words; null: it may be used. */
export function passwordFault(password: string): string | null {
  return [...password].length < SHORTEST_PASSWORD ? `Give at least ${SHORTEST_PASSWORD} characters` : null;
}
