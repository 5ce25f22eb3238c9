import type { ConnectorSamples } from '../samples.fixture.ts';

const HUB = (key: string, host = 'iot.servicebus.windows.net') =>
  `Endpoint=sb://${host}/;SharedAccessKeyName=send;SharedAccessKey=${key};EntityPath=usage`;
const HUB_LENGTH = HUB('').length;

export const samples: ConnectorSamples = {
  fields: {
    connection_string: {
      valid: HUB('a2V5IG9mIHRoZSBodWI='),
      more: [
        HUB('k'.repeat(4096 - HUB_LENGTH)),
        `${HUB('a2V5')};`,
        HUB('a2V5').replace('EntityPath', 'entitypath'),
      ],
      malformed: [
        HUB('a2V5').replace(';EntityPath=usage', ''),
        HUB('a2V5').replace('sb:', 'ftp:'),
        HUB(''),
        HUB('a2V5').replace('SharedAccessKeyName=send;', ''),
        `${HUB('a2V5')};EntityPath=other`,
        'connection string',
        '***',
      ],
      masked: HUB('***'),
      elsewhere: HUB('***', 'other.servicebus.windows.net'),
    },
    partition_key: { valid: 'endpoint_id' },
  },
  typedWrongly: [
    {
      type: { connection_string: 'Endpoint=sb://example.servicebus.windows.net/' },
      at: 'connection_string',
      says: /./,
    },
  ],
};
