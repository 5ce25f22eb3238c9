import type { ConnectorSamples } from '../samples.fixture.ts';

export const samples: ConnectorSamples = {
  fields: {
    api_key: {
      valid: '0123456789abcdef0123456789abcdef',
      more: ['k', 'k'.repeat(256)],
      malformed: ['key with blanks', 'key\n', 'schlüssel'],
      masked: '***',
    },
    region: { valid: 'EU', elsewhere: 'US3' },
    include_sms: { valid: true },
    historical_metrics: { valid: true },
  },
  typedWrongly: [{ type: { api_key: 'a key with ü' }, at: 'api_key', says: /characters/ }],
};
