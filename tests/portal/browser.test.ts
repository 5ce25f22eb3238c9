import { describe } from 'node:test';
import { accessibilityTests } from './accessibility.ts';
import { capabilityTests } from './capabilities.ts';
import { dailyTests } from './daily.ts';
import { formTests } from './forms.ts';
import { journeyTests } from './journey.ts';
import { keyboardTests } from './keyboard.ts';
import { loginTests } from './logins.ts';

// Each has its own node, browser and receiver, and mostly waits for them: side by side they take half the time.
describe('the portal in a browser', { concurrency: 3 }, () => {
  journeyTests();
  dailyTests();
  capabilityTests();
  formTests();
  keyboardTests();
  loginTests();
  accessibilityTests();
});
