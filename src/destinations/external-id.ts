/**
 * How a cloud resource names the organisation that it is meant for: the `sts:ExternalId` of a trust policy at AWS, the label of
 * a topic at Google. Never taken from a request: it tells customers apart.
 */
export function externalIdOf(organisationId: number): string {
  return `org-${organisationId}`;
}
