/** A part of AWS with accounts, roles and host names of its own: a role of one cannot be used in another. */
interface Partition {
  /** As in an ARN: `arn:aws-cn:…`. */
  readonly id: string;
  /** The end of the host names of its services. */
  readonly suffix: string;
  /** The same of those that have IPv6 addresses too; S3 alone keeps `suffix`. */
  readonly dualStackSuffix: string;
}

const COMMERCIAL: Partition = { id: 'aws', suffix: 'amazonaws.com', dualStackSuffix: 'api.aws' };

/** By the beginning of the region's id. A test compares the host names that follow with those of AWS's SDKs. */
const OTHERS: readonly (readonly [prefix: string, partition: Partition])[] = [
  ['cn-', newPartition('aws-cn', 'amazonaws.com.cn', 'api.amazonwebservices.com.cn')],
  ['us-gov-', newPartition('aws-us-gov', 'amazonaws.com', 'api.aws')],
  ['us-iso-', newPartition('aws-iso', 'c2s.ic.gov', 'api.aws.ic.gov')],
  ['us-isob-', newPartition('aws-iso-b', 'sc2s.sgov.gov', 'api.aws.scloud')],
  ['eu-isoe-', newPartition('aws-iso-e', 'cloud.adc-e.uk', 'api.cloud-aws.adc-e.uk')],
  ['us-isof-', newPartition('aws-iso-f', 'csp.hci.ic.gov', 'api.aws.hci.ic.gov')],
  ['eusc-', newPartition('aws-eusc', 'amazonaws.eu', 'api.amazonwebservices.eu')],
];

/** The partition of a region; that of most regions for an id that AWS does not have, such as an S3-compatible store's. */
export function partitionOf(region: string): Partition {
  return OTHERS.find(([prefix]) => region.startsWith(prefix))?.[1] ?? COMMERCIAL;
}

function newPartition(id: string, suffix: string, dualStackSuffix: string): Partition {
  return { id, suffix, dualStackSuffix };
}
