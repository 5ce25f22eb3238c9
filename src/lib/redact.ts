/** Patterns of text that contains secrets, and their replacements. Each keeps the secret's name and drops its value. */
const PATTERNS: readonly (readonly [RegExp, string])[] = [
  [/\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{6,}/gi, '$1 ***'],
  // A JSON Web Token: two base64url parts that begin like an object, with or without a signature.
  [/\beyJ[A-Za-z0-9_-]{5,}\.eyJ[A-Za-z0-9_-]{5,}(\.[A-Za-z0-9_-]*)?/g, '***'],
  [/\b(SharedAccessKey|SharedAccessSignature|AccountKey)=[^;\s"',]+/gi, '$1=***'],
  [/(:\/\/)[^/\s@"']+@/g, '$1***@'],
  // Names of the query such as `code`, `apikey`, `access_token`, `x-signature`.
  [/([?&][\w.~%-]*(?:code|key|token|secret|sig|signature|pass|password|pwd|auth)=)[^&\s"']+/gi, '$1***'],
  [/\bAKIA[0-9A-Z]{12,}|\bASIA[0-9A-Z]{12,}/g, '***'],
  [/\b(whsec_)[A-Za-z0-9+/=_-]+/g, '$1***'],
];

/**
 * Removes text that looks like a secret from free text (a remote's message, an exception). This is a second line of
 * defence: secrets should not get there in the first place.
 */
export function redactText(text: string): string {
  let redacted = text;
  for (const [pattern, replacement] of PATTERNS) redacted = redacted.replace(pattern, replacement);
  return redacted;
}
