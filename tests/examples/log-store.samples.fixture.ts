import type { ConnectorSamples } from '../../src/destinations/samples.fixture.ts';

export const samples: ConnectorSamples = {
  fields: {
    url: {
      valid: 'https://logs.example.com',
      more: ['http://logs.example.com:8080', 'https://logs.example.com/'.padEnd(2048, 'x')],
      malformed: ['logs.example.com', 'https://', '***'],
      elsewhere: 'https://other.example.com',
    },
    index: { valid: 'usage', more: ['u', 'u'.repeat(64)], malformed: ['Usage', 'a/b', '***'] },
    key: {
      valid: 'k-0123456789',
      more: ['k'.repeat(8), 'k'.repeat(256)],
      malformed: ['key with blanks', 'schlüssel'],
      masked: '***',
    },
  },
  typedWrongly: [
    { type: { url: 'no url', index: 'usage', key: 'k-0123456789' }, at: 'url', says: /URL/ },
    {
      type: { url: 'https://logs.example.com', index: 'a b', key: 'k-0123456789' },
      at: 'index',
      says: /index/,
    },
  ],
};
