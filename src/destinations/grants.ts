/**
 * Cloud resources that the operator grants to organisations (SIMSTREAM_CLOUD_GRANTS). simstream's own identity in a cloud is
 * one for all organisations, so a connector asks a resource for a proof that it is meant for the organisation of the stream.
 * A granted resource needs no proof.
 */
export interface CloudGrant {
  /** `*`: every organisation. */
  readonly organisation: number | '*';
  /** `arn:aws:iam::123456789012:role/x`, `projects/p`, or `projects/p/topics/t`. */
  readonly resource: string;
}

/** The cloud resources that are granted to an organisation. */
export function grantedTo(organisationId: number, grants: readonly CloudGrant[] = []): readonly string[] {
  return grants
    .filter(({ organisation }) => organisation === '*' || organisation === organisationId)
    .map(({ resource }) => resource);
}
