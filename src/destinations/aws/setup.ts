import type { SetupStep } from '../contract.ts';

/**
 * How a customer lets simstream in at AWS: a role with a trust policy, and one permission.
 * @param name what the role's permission is about, for people
 */
export function awsSetup({
  name,
  action,
  resource,
}: {
  readonly name: string;
  readonly action: string;
  readonly resource: string;
}): readonly SetupStep[] {
  const trust = {
    Effect: 'Allow',
    Principal: { AWS: '{aws_principal}' },
    Action: 'sts:AssumeRole',
    Condition: { StringEquals: { 'sts:ExternalId': '{aws_external_id}' } },
  };
  return [
    {
      text: 'In AWS IAM, create a role with this trust policy. The external id belongs to your organisation alone.',
      copy: { label: 'Trust policy', text: policy(trust) },
    },
    {
      text: `Give the role this permission, with the name of your ${name}.`,
      copy: {
        label: 'Permission policy',
        text: policy({ Effect: 'Allow', Action: action, Resource: resource }),
      },
    },
    { text: 'Copy the ARN of the role into the form.' },
  ];
}

function policy(statement: object): string {
  return JSON.stringify({ Version: '2012-10-17', Statement: [statement] }, null, 2);
}
