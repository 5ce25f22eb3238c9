/**
 * The event types that emnify names, for lookups, display and docs/records.md. The set is open: records and filters may
 * use any other id. No source shows the id 66.
 */
interface EventType {
  readonly id: number;
  readonly name: string;
  /** How events of the type usually come; undefined where no example is known. */
  readonly usual?: Usual;
  readonly meaning: string;
}

interface Usual {
  readonly severity: 'Info' | 'Warn';
  readonly source: 'Network' | 'Policy Control' | 'API';
  readonly alert: boolean;
}

const NETWORK: Usual = { severity: 'Info', source: 'Network', alert: false };
const POLICY: Usual = { severity: 'Warn', source: 'Policy Control', alert: true };
const ACTION: Usual = { severity: 'Info', source: 'API', alert: false };
/** Events about data streams that need attention. */
const STREAM: Usual = { severity: 'Warn', source: 'API', alert: true };
const WARNING: Usual = { severity: 'Warn', source: 'API', alert: false };

type Row = readonly [id: number, name: string, usual: Usual | undefined, meaning: string];

const ROWS: readonly Row[] = [
  [
    0,
    'Generic',
    POLICY,
    'An event without a type of its own, such as a message that could not be delivered.',
  ],
  [
    1,
    'Update location',
    NETWORK,
    'The device attached to a network for calls and messages. `detail`: the network.',
  ],
  [2, 'Update GPRS location', NETWORK, 'The device attached to a network for data. `detail`: the network.'],
  [
    3,
    'Create PDP Context',
    NETWORK,
    'A data session was opened; refused ones come as Warn of Policy Control with an alert. `detail`: network, session, `pdp_context`.',
  ],
  [4, 'Update PDP Context', undefined, 'A data session changed, for example its radio technology.'],
  [
    5,
    'Delete PDP Context',
    NETWORK,
    'A data session was closed. `detail`: as of 3, with the whole `volume`.',
  ],
  [6, 'User authentication failed', WARNING, 'A login with a wrong password.'],
  [7, 'Application authentication failed', WARNING, 'A login with a wrong application token.'],
  [8, 'SIM activation', ACTION, 'A SIM was activated.'],
  [9, 'SIM suspension', ACTION, 'A SIM was suspended.'],
  [10, 'SIM deletion', ACTION, 'A SIM was deleted. `detail`: `old_status`.'],
  [11, 'Endpoint blocked', POLICY, 'A device was blocked by a rule.'],
  [12, 'Organisation blocked', POLICY, 'All devices of the organisation were blocked by a rule.'],
  [13, 'Support Access', WARNING, 'A support person acted as a user.'],
  [14, 'Multi-factor Authentication', ACTION, 'A second factor was set up, used or removed.'],
  [15, 'Purge location', NETWORK, 'The network forgot the device for calls and messages.'],
  [16, 'Purge GPRS location', NETWORK, 'The network forgot the device for data.'],
  [17, 'Self-Signup', ACTION, 'A person signed up.'],
  [
    18,
    'Quota threshold reached',
    POLICY,
    'The used part of the data quota reached a threshold. `detail`: `quota`.',
  ],
  [19, 'Quota used up', POLICY, 'The data quota is used up. `detail`: `quota`.'],
  [
    20,
    'SMS quota threshold reached',
    POLICY,
    'The used part of the message quota reached a threshold. `detail`: `quota`, `traffic_type`.',
  ],
  [21, 'SMS quota used up', POLICY, 'The message quota is used up. `detail`: `quota`, `traffic_type`.'],
  [22, 'CloudConnect TGW Resource Share created', ACTION, 'A transit gateway was shared.'],
  [23, 'CloudConnect TGW available', ACTION, 'A transit gateway can be used.'],
  [24, 'CloudConnect VPN breakout available', ACTION, 'A VPN breakout can be used.'],
  [25, 'CloudConnect TGW breakout terminated', ACTION, 'A transit gateway breakout was ended.'],
  [26, 'CloudConnect VPN breakout terminated', ACTION, 'A VPN breakout was ended.'],
  [
    27,
    'CloudConnect Connection State Changed',
    ACTION,
    'A breakout changed its state. `detail`: `breakout_id`, `status`.',
  ],
  [28, 'OpenVPN connect', undefined, 'A client connected to the VPN.'],
  [29, 'OpenVPN disconnect', undefined, 'A client left the VPN.'],
  [
    30,
    'OpenVPN authentication',
    ACTION,
    'A client logged in to the VPN. `detail`: `protocol`, `region`, `client`.',
  ],
  [31, 'Organisation updated', ACTION, 'Data of the organisation changed. `detail`: `changed_data`.'],
  [32, 'Billing configuration updated', WARNING, 'The billing of the organisation changed.'],
  [33, 'Tariff plan updated', WARNING, 'The package of the platform changed.'],
  [34, 'Usage tariff updated', WARNING, 'A data plan changed.'],
  [35, 'Payment', undefined, 'A payment was made.'],
  [36, 'User invited', ACTION, 'A user was invited. `detail` holds a key: treat it as a secret.'],
  [
    37,
    'Password reset requested',
    ACTION,
    'A user asked for a new password. `detail` holds a key: treat it as a secret.',
  ],
  [38, 'Order submitted', ACTION, 'SIMs were ordered.'],
  [39, 'Order updated', WARNING, 'An order changed, for example it was shipped.'],
  [
    40,
    'User verification requested',
    ACTION,
    'A user must be verified. `detail` holds a token: treat it as a secret.',
  ],
  [41, 'User verified', ACTION, 'A user was verified.'],
  [42, 'Endpoint enabled', ACTION, 'A device may connect.'],
  [43, 'Endpoint disabled', ACTION, 'A device may no longer connect.'],
  [44, 'SIM issued', undefined, 'A SIM was issued.'],
  [45, 'SIM factory test', ACTION, 'A SIM was used in its factory test.'],
  [
    46,
    'User deleted',
    WARNING,
    'A user was deleted. `detail` is the deleted user; `user` is the user who deleted it.',
  ],
  [47, 'User federation activated', undefined, 'A user logs in by single sign-on from now on.'],
  [48, 'SIM registration', ACTION, 'A batch of SIMs was registered. `detail`: `sim_batch`.'],
  [49, 'Device offline', undefined, 'A session ended, and the device opened no new one within five minutes.'],
  [50, 'SIM Released', ACTION, 'A SIM was taken from its device.'],
  [51, 'SIM Assigned', ACTION, 'A SIM was put into a device. `detail`: `imei`.'],
  [52, 'Data quota enabled', WARNING, 'Quotas of data are in force.'],
  [53, 'Data quota disabled', WARNING, 'Quotas of data are no longer in force.'],
  [54, 'SMS quota enabled', WARNING, 'Quotas of messages are in force.'],
  [55, 'SMS quota disabled', WARNING, 'Quotas of messages are no longer in force.'],
  [56, 'Data quota assigned', ACTION, 'A device got a data quota. `detail`: `quota`.'],
  [57, 'Data quota deleted', ACTION, 'A device lost its data quota.'],
  [58, 'SMS quota assigned', ACTION, 'A device got a message quota. `detail`: `quota`.'],
  [59, 'SMS quota deleted', ACTION, 'A device lost its message quota.'],
  [60, 'Data quota expired', POLICY, 'The data quota of a device ran out of time.'],
  [61, 'SMS quota expired', undefined, 'The message quota of a device ran out of time.'],
  [62, 'Default inclusive volume updated', undefined, 'The volume that a data plan includes changed.'],
  [63, 'Monthly order limit threshold reached', undefined, 'The orders of this month reached a threshold.'],
  [64, 'Monthly order limit reached', undefined, 'The orders of this month reached their limit.'],
  [65, 'Endpoint data traffic limit warning', undefined, 'A device is close to its data limit.'],
  [67, 'User switched workspaces', ACTION, 'A user switched to another organisation.'],
  [68, 'Reset connectivity', undefined, 'The connection of a device was reset.'],
  [69, 'SIM migration', undefined, 'A SIM moved to another platform or profile.'],
  // Written by simstream itself, far from the ids of platforms.
  [10_001, 'Data stream in error', STREAM, 'A data stream delivers nothing any more. `detail`: the stream.'],
  [
    10_002,
    'Data stream recovered',
    ACTION,
    'A data stream that was in Error delivers again. `detail`: the stream.',
  ],
  [
    10_003,
    'Data stream records expiring',
    STREAM,
    'Pending records of a data stream expire within 24 hours, or within one. `detail`: the stream, `expires_at`.',
  ],
  [
    10_004,
    'Data stream lag',
    STREAM,
    'Records have waited in a data stream for too long. `detail`: the stream.',
  ],
  [
    10_005,
    'Data stream quarantine',
    STREAM,
    'The destination of a data stream refused records. `detail`: the stream, `records`.',
  ],
];

export const EVENT_TYPES: ReadonlyMap<number, EventType> = new Map(
  ROWS.map(([id, name, usual, meaning]) => [id, { id, name, meaning, ...(usual ? { usual } : {}) }]),
);
