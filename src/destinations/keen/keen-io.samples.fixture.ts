import type { ConnectorSamples } from '../samples.fixture.ts';

export const samples: ConnectorSamples = {
  fields: {
    project_id: {
      valid: '5f2a9c81d0e34b7796ab12cd',
      more: ['5', 'p'.repeat(100)],
      malformed: ['a b', '../x', 'a/b', 'ä', '***'],
      elsewhere: '5f2a9c81d0e34b7796ab12ce',
    },
    write_key: {
      valid: 'A1B2C3D4E5F60718293A4B5C6D7E8F90',
      more: ['k', 'K'.repeat(2048)],
      malformed: ['key with blanks', 'key\n', 'schlüssel'],
      masked: '***',
    },
    collection_name: {
      valid: 'sim_usage',
      more: ['c', 'c'.repeat(64), 'with blank'],
      malformed: ['$usage', 'gerät', 'a\nb'],
    },
    size: { valid: 500 },
  },
  typedWrongly: [
    {
      type: {
        project_id: '5f2a9c81d0e34b7796ab12cd',
        write_key: 'k',
        collection_name: 'usage',
        size: '10001',
      },
      at: 'size',
      says: /10,?000/,
    },
  ],
};
