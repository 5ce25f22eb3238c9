import type { ConnectorSamples } from '../samples.fixture.ts';
import { region, role_arn } from './names.fixture.ts';

export const samples: ConnectorSamples = {
  fields: {
    region,
    stream_name: {
      valid: 'usage_2.eu-1',
      more: ['u', 's'.repeat(128)],
      malformed: ['with blank', 'a/b', 'arn:aws:kinesis:x', 'ströme', '***'],
    },
    role_arn,
  },
  typedWrongly: [
    {
      type: { region: 'Mars', stream_name: 'a', role_arn: 'arn:aws:iam::123456789012:role/r' },
      at: 'region',
      says: /region/,
    },
    { type: { region: 'eu-west-1', stream_name: 'a', role_arn: 'role' }, at: 'role_arn', says: /ARN/ },
    {
      type: { region: 'eu-west-1', stream_name: 'a b', role_arn: 'arn:aws:iam::123456789012:role/r' },
      at: 'stream_name',
      says: /name/,
    },
  ],
};
