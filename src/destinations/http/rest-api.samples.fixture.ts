import type { ConnectorSamples } from '../samples.fixture.ts';

export const samples: ConnectorSamples = {
  fields: {
    url: {
      valid: 'https://receiver.example/in?tenant=7',
      more: ['http://receiver.example:8080', 'https://receiver.example/'.padEnd(2048, 'x')],
      malformed: ['receiver.example', 'ftp://receiver.example/', 'https://', 'https://u:p@receiver.example/'],
      masked: 'https://receiver.example/in?tenant=***',
      elsewhere: 'https://other.example/in',
    },
    method: { valid: 'PUT' },
    headers: {
      valid: ['Authorization:Bearer hush-hush', 'X-Source: simstream'],
      more: [['X-Long:'.padEnd(8192, 'x')], ['X:y']],
      malformed: [
        'hush-hush',
        ':hush-hush',
        'X Y:hush-hush',
        'Host:hush-hush',
        'X:hush\r\nhush',
        'X-Source:',
        'X:☃',
      ],
      masked: ['Authorization:***', 'X-Source:***'],
    },
    size: { valid: 500 },
    signing_secret: {
      valid: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
      more: ['eightlet', 's'.repeat(512)],
      malformed: ['whsec_not base64', 'with blanks in it', 'schlüssel'],
      masked: '***',
    },
  },
  typedWrongly: [
    { type: { url: 'not a url' }, at: 'url', says: /url/i },
    { type: { url: 'https://user:pass@example.com/' }, at: 'url', says: /header|password|user/i },
    { type: { url: 'https://example.com/', size: '0' }, at: 'size', says: /1/ },
    { type: { url: 'https://example.com/', size: '10001' }, at: 'size', says: /10,?000/ },
    { type: { url: 'https://example.com/', headers: 'X-One:1\nno colon' }, at: 'headers', says: /^Line 2: / },
    { type: { url: 'https://example.com/', signing_secret: 'short' }, at: 'signing_secret', says: /8/ },
  ],
};
