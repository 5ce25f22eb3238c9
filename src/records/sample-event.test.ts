import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EVENT_TYPES } from './event-types.ts';
import { examineRecord } from './examine.ts';
import { RECORD_EXAMPLES } from './examples.ts';
import { sampleEvent } from './sample-event.ts';

test('there is a valid sample of every event type, with its usual severity, source and alert', () => {
  for (const [id, { name, usual }] of EVENT_TYPES) {
    const text = sampleEvent(id);
    assert.equal(examineRecord('event', Buffer.from(text)).type, 'valid', name);
    const event = JSON.parse(text);
    assert.deepEqual(event.event_type, { id, description: name });
    assert.match(text, /"id": 14314661424824978042/, 'no digit of the id is lost');
    if (!usual) continue;
    assert.equal(event.alert, usual.alert, name);
    assert.equal(event.event_severity.description, usual.severity.toUpperCase(), name);
    assert.equal(event.event_source.description, usual.source, name);
  }
});

test('the type of the example itself has its detail; an unknown one has a name too', () => {
  assert.equal(sampleEvent(3), RECORD_EXAMPLES.event);
  assert.deepEqual(JSON.parse(sampleEvent(7000)).event_type, { id: 7000, description: 'Type 7000' });
});
