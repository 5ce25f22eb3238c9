import type { ConnectorSamples } from '../samples.fixture.ts';

export const samples: ConnectorSamples = {
  fields: {
    cps_project: {
      valid: 'iot-records',
      more: ['abcdef', '123456789012', `${'d'.repeat(165)}.com:${'p'.repeat(30)}`],
      malformed: ['short', 'Iot-Records', 'iot_records', 'iot-records-', '1abcdef', 'x'.repeat(31), '***'],
    },
    cps_topic: {
      valid: 'usage',
      more: ['abc', 't'.repeat(255), 'a-b_c.d~e+f%g'],
      malformed: ['ab', '1usage', 'goog-usage', 'projects/iot-records/topics/usage', 'a b c', '***'],
    },
    ordering_key: { valid: 'endpoint_id' },
  },
  typedWrongly: [{ type: { cps_project: 'Not A Project', cps_topic: 't' }, at: 'cps_project', says: /./ }],
};
