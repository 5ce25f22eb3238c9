import type { FieldSample } from '../samples.fixture.ts';

const ROLE = 'arn:aws:iam::123456789012:role/simstream';

export const region: FieldSample = {
  valid: 'eu-west-1',
  more: ['a', 'r'.repeat(40)],
  malformed: ['eu west 1', 'EU-WEST-1', '-eu', 'eu-', 'eu.west', 'eu-west-1/', '***'],
};

export const role_arn: FieldSample = {
  valid: ROLE,
  more: [
    // As emnify's published example has it: a colon and two digits are missing.
    'arn:aws:iam:1234567890:role/datastreamer',
    'arn:aws:iam::123456789012:role/path/of/role',
    ROLE.padEnd(2048, 'x'),
  ],
  malformed: [
    'role/simstream',
    'arn:aws:iam::123456789012:user/x',
    `${ROLE}\n`.repeat(2),
    `${ROLE} x`,
    '***',
  ],
};
