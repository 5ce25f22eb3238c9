import { Type } from 'typebox';
import { defineRoute, type Route } from '../route.ts';

/** Facts about the platform that customers need so that their destination admits it. */
export interface PlatformParts {
  /** undefined: not set. */
  readonly platform?: {
    /** SIMSTREAM_AWS_PRINCIPAL */
    readonly awsPrincipal: string | undefined;
    /** SIMSTREAM_GOOGLE_SERVICE_ACCOUNT */
    readonly googleServiceAccount: string | undefined;
    /** The external id with which the platform assumes AWS roles for an organisation. */
    externalIdOf(organisationId: number): string;
  };
  readonly retentionMs: number;
}

const nullable = (description: string, example: string) =>
  Type.Union([Type.String({ examples: [example] }), Type.Null()], { description });

const Platform = Type.Object(
  {
    aws_principal: nullable(
      'The principal that the trust policy of an AWS role must name; null: the platform operator has not set it.',
      'arn:aws:iam::123456789012:root',
    ),
    aws_external_id: nullable(
      'The external id with which AWS roles are assumed. It belongs to this organisation alone.',
      'org-70412',
    ),
    google_service_account: nullable(
      'The account that needs the role Pub/Sub Publisher on a topic; null: the platform operator has not set it.',
      'streams@example.iam.gserviceaccount.com',
    ),
    retention_seconds: Type.Integer({ minimum: 1, description: 'How long records are kept.' }),
  },
  { 'x-component': 'Platform' },
);

/** `GET /api/v2/data_stream/platform`: facts that a customer needs from the operator before setting up a stream. */
export function dataStreamPlatformRoute({ platform, retentionMs }: PlatformParts): Route {
  return defineRoute({
    method: 'GET',
    path: '/api/v2/data_stream/platform',
    operationId: 'GetDataStreamerPlatform',
    tags: ['Data Streamer'],
    summary: 'The identities that a destination must admit, and how long records are kept',
    access: 'read',
    responses: { 200: { description: 'The values for the organisation of the caller.', schema: Platform } },
    handler: ({ identity }) => ({
      status: 200,
      body: {
        aws_principal: arnOf(platform?.awsPrincipal),
        aws_external_id: platform?.externalIdOf(identity.organisationId) ?? null,
        google_service_account: platform?.googleServiceAccount ?? null,
        retention_seconds: Math.max(1, Math.floor(retentionMs / 1000)),
      },
    }),
  });
}

/** An account's number stands for the whole account. */
function arnOf(principal: string | undefined): string | null {
  if (principal === undefined) return null;
  return /^\d+$/.test(principal) ? `arn:aws:iam::${principal}:root` : principal;
}
