import { type ApplicationTokenParts, applicationTokenRoutes } from './application-token.ts';
import { type AuthenticateParts, authenticateRoutes } from './authenticate.ts';
import { type DataStreamActivityParts, dataStreamActivityRoutes } from './data-streams/activity.ts';
import { ledgerRoutes } from './data-streams/ledger.ts';
import { eventTypeRoutes, sampleRecordRoute } from './data-streams/lookups.ts';
import { type NotificationParts, notificationRoutes } from './data-streams/notification.ts';
import { type PreviewParts, previewRoute } from './data-streams/preview.ts';
import { type ReplayParts, replayRoutes } from './data-streams/replay.ts';
import { type DataStreamParts, dataStreamRoutes } from './data-streams/routes.ts';
import { type TestRecordParts, testRecordRoute } from './data-streams/synthetic-record.ts';
import { type EventParts, eventRoutes } from './events.ts';
import { type MfaParts, mfaRoutes } from './mfa.ts';
import { type AuditParts, auditRoutes } from './operator/audit.ts';
import { type OperatorDataStreamParts, operatorDataStreamRoutes } from './operator/data-streams.ts';
import { type NodesParts, nodesRoutes } from './operator/nodes.ts';
import { type RecordsParts, recordsRoutes } from './operator/records.ts';
import { type OperatorParts, operatorRoutes } from './operator/routes.ts';
import { type OrganisationParts, organisationRoutes } from './organisation.ts';
import type { Route } from './route.ts';
import { type SessionParts, sessionRoutes } from './session.ts';
import { type TrustedDeviceParts, trustedDeviceRoutes } from './trusted-devices.ts';
import { type UserParts, userRoutes } from './user.ts';
import { v1DataStreamRoutes } from './v1/data-stream.ts';

type ApiParts = AuthenticateParts &
  OperatorDataStreamParts &
  SessionParts &
  ApplicationTokenParts &
  OrganisationParts &
  UserParts &
  MfaParts &
  TrustedDeviceParts &
  DataStreamParts &
  ReplayParts &
  DataStreamActivityParts &
  TestRecordParts &
  PreviewParts &
  NotificationParts &
  EventParts &
  OperatorParts &
  NodesParts &
  RecordsParts &
  AuditParts;

/** The whole table. A new file of routes is one line here; the tests of isolation and documentation cover it then. */
export function apiRoutes(parts: ApiParts): Route[] {
  return [
    ...authenticateRoutes(parts),
    ...sessionRoutes(parts),
    ...applicationTokenRoutes(parts),
    ...organisationRoutes(parts),
    ...userRoutes(parts),
    ...mfaRoutes(parts),
    ...trustedDeviceRoutes(parts),
    ...eventTypeRoutes(),
    ...eventRoutes(parts),
    sampleRecordRoute(),
    ...dataStreamRoutes(parts),
    ...v1DataStreamRoutes(parts),
    ...replayRoutes(parts),
    ...dataStreamActivityRoutes(parts),
    ...ledgerRoutes(parts),
    testRecordRoute(parts),
    previewRoute(parts),
    ...notificationRoutes(parts),
    ...operatorRoutes(parts),
    ...operatorDataStreamRoutes(parts),
    ...nodesRoutes(parts),
    ...recordsRoutes(parts),
    ...auditRoutes(parts),
  ];
}
