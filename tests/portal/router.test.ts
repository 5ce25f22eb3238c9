import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createRouter, type RouterWindow } from '../../src/portal/lib/router.ts';

/** A browser's address and history, with a clock that the test moves. */
function browser(href = 'https://node.example/data-streams') {
  const entries = [{ url: href, state: null as unknown }];
  let at = 0;
  let replaced = 0;
  const listeners = new Map<string, () => void>();
  let timer: (() => void) | undefined;
  const here = () => entries[at] as (typeof entries)[number];
  const absolute = (url: string) => new URL(url, here().url).href;
  const window: RouterWindow = {
    location: {
      get href() {
        return here().url;
      },
    },
    history: {
      get state() {
        return here().state;
      },
      pushState: (state, _, url) => {
        entries.splice(at + 1, Number.POSITIVE_INFINITY, { url: absolute(url), state });
        at++;
      },
      replaceState: (state, _, url) => {
        entries[at] = { url: absolute(url), state };
        replaced++;
      },
    },
    addEventListener: (type, listener) => void listeners.set(type, listener),
    scrollTo: () => {},
    setTimeout: (run) => {
      timer = run;
      return 1;
    },
    clearTimeout: () => {
      timer = undefined;
    },
  };
  return {
    router: createRouter(window),
    here: () => new URL(here().url).pathname + new URL(here().url).search,
    replaced: () => replaced,
    back: () => {
      at--;
      listeners.get('popstate')?.();
    },
    moment: () => timer?.(),
    close: () => listeners.get('pagehide')?.(),
  };
}
const pathOf = (href: string) => new URL(href).pathname + new URL(href).search;

describe('the address', () => {
  test('goes along with moves, and back', () => {
    const { router, here, back } = browser();
    router.belongsTo('7/ada');
    router.navigate('/api-access');
    router.navigate('/data-streams/5f3a9c1e?tab=tail', { replace: true });
    assert.equal(here(), '/data-streams/5f3a9c1e?tab=tail');
    back();
    assert.equal(pathOf(router.address.get()), '/data-streams');
  });

  test('changes at once for the views, and in the browser once for many letters', () => {
    const { router, here, replaced, moment, close } = browser();
    router.belongsTo('7/ada');
    const before = replaced();
    for (let letters = 1; letters <= 200; letters++) router.amend(`/data-streams?search=${letters}`);
    assert.equal(pathOf(router.address.get()), '/data-streams?search=200');
    assert.equal(replaced() - before, 0);
    moment();
    assert.deepEqual([here(), replaced() - before], ['/data-streams?search=200', 1]);
    router.amend('/data-streams?search=last');
    close();
    assert.equal(here(), '/data-streams?search=last');
    router.amend('/data-streams?search=left');
    router.navigate('/api-access');
    moment();
    assert.equal(here(), '/api-access');
  });

  test('a user who signs in on an entry of another one begins at the list, and cannot go back to it', () => {
    const { router, here, back } = browser();
    router.belongsTo('7/ada');
    router.navigate('/data-streams/new?name=Secret+of+A');
    router.navigate('/data-streams/5f3a9c1e');
    router.belongsTo(undefined);
    router.belongsTo('8/ben');
    assert.equal(here(), '/data-streams');
    back();
    assert.equal(here(), '/data-streams');
    assert.equal(pathOf(router.address.get()), '/data-streams');
  });

  test('the same user goes on where the login ran out; a link that was typed in is followed', () => {
    const { router, here } = browser('https://node.example/data-streams/5f3a9c1e');
    router.belongsTo('7/ada');
    assert.equal(here(), '/data-streams/5f3a9c1e');
    router.belongsTo(undefined);
    router.belongsTo('7/ada');
    assert.equal(here(), '/data-streams/5f3a9c1e');
    const root = browser('https://node.example/');
    root.router.belongsTo('7/ada');
    assert.equal(root.here(), '/data-streams');
  });
});

describe('input that is not saved', () => {
  const form = '/data-streams/new?type=S3';
  const open = () => {
    const world = browser();
    world.router.belongsTo('7/ada');
    world.router.navigate(form);
    const free = world.router.guard((to) => to.pathname !== '/data-streams/new');
    return { ...world, free };
  };

  test('is asked about before a link, and stays or goes as the reader says', () => {
    const { router, here } = open();
    router.navigate('/api-access');
    assert.equal(here(), form);
    router.question.get()?.stay();
    assert.equal(here(), form);
    assert.equal(router.question.get(), undefined);
    router.navigate('/api-access');
    router.question.get()?.leave();
    assert.equal(here(), '/api-access');
  });

  test('is asked about before the way back, which is taken once the reader agrees', () => {
    const { router, here, back } = open();
    back();
    assert.deepEqual([here(), pathOf(router.address.get())], [form, form]);
    router.question.get()?.leave();
    assert.equal(here(), '/data-streams');
  });

  test('is not asked about within its own view, nor once it is saved', () => {
    const { router, here, free } = open();
    router.navigate(`${form}&step=destination`);
    assert.equal(here(), `${form}&step=destination`);
    assert.ok(router.isGuarded());
    free();
    assert.ok(!router.isGuarded());
    router.navigate('/api-access');
    assert.equal(here(), '/api-access');
  });

  test('is asked about before signing out', () => {
    const { router, free } = open();
    let out = 0;
    router.leaveThen(() => out++);
    assert.equal(out, 0);
    router.question.get()?.leave();
    free();
    router.leaveThen(() => out++);
    assert.equal(out, 2);
  });
});
