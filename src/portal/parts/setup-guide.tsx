import { List, Paper, Stack, Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';
import type { components } from '../generated/api.ts';
import { useSession } from '../lib/session.ts';
import { CodeBlock } from './show.tsx';
import { usePlatform } from './start-form.tsx';

type Platform = components['schemas']['Platform'];
/** Stands where the operator has not said who the platform is in AWS. */
const UNKNOWN_PRINCIPAL = 'ARN-OF-THE-PLATFORM';

/** What has to be done at the destination before a stream can go there. */
export function SetupGuide({ type }: { readonly type: string }) {
  const { organisation } = useSession();
  const platform = usePlatform();
  const steps = stepsFor(type, platform.data, organisation.id);
  return (
    <Paper withBorder p="md" component="aside" aria-label="Setup guide">
      <Stack gap="sm">
        <Title order={2} size="h4">
          Setup guide
        </Title>
        {steps}
        <Text size="sm" c="dimmed">
          Test connection reaches the destination without delivering a record.
        </Text>
      </Stack>
    </Paper>
  );
}

const Steps = ({ children }: { readonly children: ReactNode }) => (
  <List type="ordered" size="sm" spacing="xs" pr="sm">
    {children}
  </List>
);

function stepsFor(type: string, platform: Platform | undefined, organisationId: number): ReactNode {
  switch (type) {
    case 'RestAPI':
      return (
        <Steps>
          <List.Item>Have an HTTP endpoint that answers 2xx once it has taken a request.</List.Item>
          <List.Item>
            Records come as a JSON array; with one record per request, as a bare JSON object.
          </List.Item>
          <List.Item>
            If the endpoint wants a key, put it into a header, e.g. <code>Authorization:Bearer …</code>
          </List.Item>
          <List.Item>
            A delivery may come twice: the id in its header tells which were seen already.
          </List.Item>
        </Steps>
      );
    case 'AwsKinesis':
    case 'S3':
      return <AwsSteps type={type} platform={platform} organisationId={organisationId} />;
    case 'Datadog':
      return (
        <Steps>
          <List.Item>
            In Datadog, open <strong>Organization Settings → API Keys</strong> and create a key.
          </List.Item>
          <List.Item>Copy the key here; an application key does not work.</List.Item>
          <List.Item>Choose the region whose name is in the address of your Datadog.</List.Item>
        </Steps>
      );
    case 'KeenIO':
      return (
        <Steps>
          <List.Item>
            In Keen, open <strong>Access</strong> of your project.
          </List.Item>
          <List.Item>Copy the project id and a write key.</List.Item>
          <List.Item>Choose a collection; Keen creates it with the first record.</List.Item>
        </Steps>
      );
    case 'EventHubs':
      return (
        <Steps>
          <List.Item>
            In the Azure portal, open your event hub, not only its namespace, and then{' '}
            <strong>Shared access policies</strong>.
          </List.Item>
          <List.Item>Add a policy with the claim Send alone.</List.Item>
          <List.Item>
            Copy its connection string; it ends with <code>EntityPath=</code> and the name of the event hub.
          </List.Item>
        </Steps>
      );
    case 'PubSub':
      return (
        <Steps>
          <List.Item>In Google Cloud, create a topic in your project.</List.Item>
          <List.Item>
            On the topic, add a principal with the role <strong>Pub/Sub Publisher</strong>:{' '}
            {platform?.google_service_account
              ? 'the service account of this platform.'
              : 'the service account of this platform, which its operator tells you.'}
            {platform?.google_service_account && (
              <CodeBlock text={platform.google_service_account} label="Service account" />
            )}
          </List.Item>
          <List.Item>Copy the ids of project and topic into the form.</List.Item>
        </Steps>
      );
    default:
      return <Text size="sm">The help beside each field says where to find its value.</Text>;
  }
}

function AwsSteps({
  type,
  platform,
  organisationId,
}: {
  readonly type: 'AwsKinesis' | 'S3';
  readonly platform: Platform | undefined;
  readonly organisationId: number;
}) {
  const resource =
    type === 'S3' ? 'arn:aws:s3:::YOUR-BUCKET/*' : 'arn:aws:kinesis:REGION:ACCOUNT:stream/YOUR-STREAM';
  const action = type === 'S3' ? 's3:PutObject' : 'kinesis:PutRecords';
  const permission = {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: action, Resource: resource }],
  };
  return (
    <Stack gap="sm">
      <Text size="sm">
        1. In AWS IAM, create a role with this trust policy. The external id is yours alone.{' '}
        {platform && !platform.aws_principal && (
          <>
            Put the ARN of this platform, which its operator tells you, in the place of{' '}
            <code>{UNKNOWN_PRINCIPAL}</code>.
          </>
        )}
      </Text>
      <CodeBlock text={JSON.stringify(trustPolicy(platform, organisationId), null, 2)} label="Trust policy" />
      <Text size="sm">
        2. Give the role this permission, with the name of your {type === 'S3' ? 'bucket' : 'stream'}.
      </Text>
      <CodeBlock text={JSON.stringify(permission, null, 2)} label="Permission policy" />
      <Text size="sm">3. Copy the ARN of the role into the form.</Text>
    </Stack>
  );
}

/** Lets the platform's account assume the role, for this organisation only. */
function trustPolicy(platform: Platform | undefined, organisationId: number) {
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal: { AWS: platform?.aws_principal ?? UNKNOWN_PRINCIPAL },
        Action: 'sts:AssumeRole',
        Condition: {
          StringEquals: { 'sts:ExternalId': platform?.aws_external_id ?? `org-${organisationId}` },
        },
      },
    ],
  };
}
