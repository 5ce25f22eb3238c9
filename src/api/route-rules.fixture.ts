/**
 * For tests: who may call which route, written down beside the route table. A route without a rule fails the test, so
 * that every new call names its callers; a rule that differs from the route's access fails too.
 */
type Callers =
  /** Without a token. */
  | 'everybody'
  | 'operator'
  /** Everyone of an organisation. */
  | 'members'
  /** The same without observers. */
  | 'writers'
  /** Administrators who have signed in. */
  | 'administrators';

export const ROUTE_RULES: Readonly<Record<string, Callers>> = {
  Authenticate: 'everybody',
  Logout: 'members',
  PatchMyUser: 'members',
  GetApplicationTokens: 'members',
  CreateApplicationToken: 'writers',
  PatchApplicationToken: 'writers',
  DeleteApplicationToken: 'writers',
  GetOrganisationMy: 'members',
  PatchOrganisationMy: 'administrators',
  GetUserMy: 'members',
  ListUserRoles: 'members',
  ListUserStatuses: 'members',
  ListOrganisationUsers: 'members',
  GetOrganisationUser: 'members',
  CreateOrganisationUser: 'administrators',
  PatchOrganisationUser: 'administrators',
  AssignUserRole: 'administrators',
  DeleteOrganisationUser: 'administrators',
  ListMfaKeyStatuses: 'members',
  ListMfaKeyTypes: 'members',
  CreateMfaKey: 'members',
  ActivateMfaKey: 'members',
  DeleteMyMfaKey: 'members',
  DeleteMfaKey: 'administrators',
  ListMyTrustedDevices: 'members',
  DeleteMyTrustedDevice: 'members',
  GetEventTypes: 'members',
  ListEvents: 'members',
  GetDataStreamerStatuses: 'members',
  GetDataStreamerDataStreamType: 'members',
  GetDataStreamerConnectionType: 'members',
  GetDataStreamerEnumFilterFieldType: 'members',
  GetDataStreamerPlatform: 'members',
  ListDataStreamerV2s: 'members',
  GetDataStreamerByIdV2: 'members',
  ListDataStreamStateChanges: 'members',
  CreateDataStreamer: 'writers',
  TestDataStream: 'writers',
  PreviewDataStream: 'writers',
  PatchV2DataStream: 'writers',
  DeleteDataStreamerV2: 'writers',
  DataStreamerV2ByIdRestart: 'writers',
  ListDataStreamsV1: 'members',
  GetDataStreamV1: 'members',
  CreateDataStreamV1: 'writers',
  DeleteDataStreamV1: 'writers',
  ListDataStreamEventTypesV1: 'members',
  AddDataStreamEventTypeV1: 'writers',
  RemoveDataStreamEventTypeV1: 'writers',
  CreateReplay: 'writers',
  ListReplays: 'members',
  GetReplay: 'members',
  PatchReplay: 'writers',
  DeleteReplay: 'writers',
  ListDataStreamAttempts: 'members',
  GetDataStreamAttempt: 'members',
  GetDataStreamSampleRecord: 'members',
  GetDataStreamSeries: 'members',
  ListDataStreamSeries: 'members',
  TailDataStream: 'members',
  GetDataStreamLedger: 'members',
  ListQuarantinedRecords: 'members',
  ListQuarantineGroups: 'members',
  ResendQuarantinedRecords: 'writers',
  DiscardQuarantinedRecords: 'writers',
  SendDataStreamTestRecord: 'writers',
  GetNotification: 'members',
  PutNotification: 'writers',
  DeleteNotification: 'writers',
  TestNotification: 'writers',
  CreateOrganisation: 'operator',
  ListOrganisations: 'operator',
  GetOrganisation: 'operator',
  DeleteOrganisation: 'operator',
  CreateUser: 'operator',
  ListUsers: 'operator',
  ListAudit: 'operator',
  PatchUser: 'operator',
  UnlockUser: 'operator',
  ResetUserMfa: 'operator',
  DeleteUser: 'operator',
  CreateApplicationTokenFor: 'operator',
  ListApplicationTokensFor: 'operator',
  PatchApplicationTokenFor: 'operator',
  DeleteApplicationTokenFor: 'operator',
  ListAllDataStreams: 'operator',
  ListNodes: 'operator',
  IngestUsageRecords: 'operator',
  IngestEvents: 'operator',
  IngestSmsRecords: 'operator',
};

/** Paths beside the route table. Everybody may read them: they have nothing of any organisation. */
export const PUBLIC_PATHS = [
  '/api/docs',
  '/api/openapi.json',
  '/healthz',
  '/readyz',
  // Where the operator's side has no address of its own, the network keeps customers away from it.
  '/metrics',
];

/**
 * Fields of requests with ids, and the answer when the id belongs to another organisation; `none`: the field names
 * nothing that an organisation owns. A field that looks like an id and is not here fails the test.
 */
export const ID_FIELDS: Readonly<Record<string, 'none' | number>> = {
  'CreateDataStreamer.start_from': 'none',
  'TestDataStream.start_from': 'none',
  'TestDataStream.id': 404,
  'CreateDataStreamer.continue_from': 422,
  'TestDataStream.continue_from': 422,
  'PreviewDataStream.start_from': 'none',
  'PreviewDataStream.continue_from': 'none',
  'PreviewDataStream.id': 404,
  // Those that are not found are left out.
  'ListDataStreamSeries.ids': 200,
  'ResendQuarantinedRecords.ids': 422,
  'DiscardQuarantinedRecords.ids': 422,
  // They select among the records of the stream in the path.
  'ResendQuarantinedRecords.group': 'none',
  'DiscardQuarantinedRecords.group': 'none',
  'ListQuarantinedRecords.group': 'none',
  'ListQuarantinedRecords.after': 'none',
  'TailDataStream.after': 'none',
  // A place in the record log, where the events of the organisation are looked for.
  'ListEvents.before': 'none',
  'GetDataStreamSampleRecord.event_type_id': 'none',
};
