import { Type } from 'typebox';
import type { ConfigurationFault } from '../contract.ts';
import { partitionOf } from './partitions.ts';

/** The parts of `role_arn` that messages and requests need. */
export interface Role {
  /** In the form that AWS expects. */
  readonly arn: string;
  readonly partition: string;
  readonly account: string;
}

/** The fields of every AWS connection. */
export const regionField = Type.String({
  title: 'Region',
  description: 'The AWS region that the resource is in.',
  examples: ['eu-west-1'],
  minLength: 1,
  maxLength: 40,
});
export const roleArnField = Type.String({
  title: 'Role ARN',
  description:
    'The IAM role in your account that simstream assumes. Its trust policy must admit simstream with the external id org-<organisation id>.',
  examples: ['arn:aws:iam::123456789012:role/simstream'],
  minLength: 1,
  /** IAM's own limit. */
  maxLength: 2048,
});

/**
 * The second colon after `iam` may be missing, and the account shorter than twelve digits: emnify's published examples
 * are so; and Ceph has roles without an account. The colon is put in; a wrong account is for AWS to refuse, with the reason.
 */
const ROLE_ARN = /^arn:(aws[a-z0-9-]*):iam::?(\d{0,12}):(role\/[\w+=,.@/-]+)$/;
/** A region is one label of a host name; which ones exist is for AWS to say, and S3-compatible stores have their own. */
const REGION = /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/;

export function parseRole(text: string): Role | undefined {
  const match = ROLE_ARN.exec(text.trim());
  if (!match) return undefined;
  const [, partition = '', account = '', path = ''] = match;
  return { arn: `arn:${partition}:iam::${account}:${path}`, partition, account };
}

/** The faults of region and role that the schema cannot express. */
export function awsFaults(region: string, roleArn: string): ConfigurationFault[] {
  const faults: ConfigurationFault[] = [];
  if (!REGION.test(region)) {
    faults.push({ path: '/region', message: 'is not the id of an AWS region, such as eu-west-1' });
  }
  const role = parseRole(roleArn);
  const partition = partitionOf(region).id;
  if (!role) {
    const message = 'is not the ARN of an IAM role, such as arn:aws:iam::123456789012:role/simstream';
    faults.push({ path: '/role_arn', message });
  } else if (role.partition !== partition) {
    const message = `is a role of the partition ${role.partition}, and the region ${region} is in the partition ${partition}: use a role and a region of the same partition`;
    faults.push({ path: '/role_arn', message });
  }
  return faults;
}
