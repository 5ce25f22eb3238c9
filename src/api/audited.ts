import type { AuditEntry, Shown } from '../auth/audit.ts';
import type { Changed } from '../lib/call-cost.ts';
import type { Route } from './route.ts';

/** The parts of a call that the audit log keeps. */
interface AuditedCall {
  readonly identity: { readonly actor: string; readonly organisationId?: number } | undefined;
  /** The user of a login, or the caller who was refused. */
  readonly login: { readonly actor: string; readonly organisationId: number } | undefined;
  readonly changed: Changed | undefined;
  readonly params: unknown;
  readonly body: unknown;
  readonly ip: string;
  readonly status: number;
}

/** Fields whose values hold no secret. An entry has only the names of all others. */
const SHOWN = new Set([
  ...['id', 'name', 'username', 'role', 'description', 'expiry_date', 'ip', 'parent_id', 'all'],
  ...['connection_type', 'format', 'status', 'relation_resolution', 'data_stream_type'],
]);
const LONGEST_VALUE = 200;
const MOST_FIELDS = 30;

/**
 * Whether a call is written to the audit log: logins, calls of the operator, changes by customers, and calls that
 * were refused because of their caller. The ingest of records is not: records are counted, and belong to their
 * organisation.
 */
export function isAudited(
  { operationId, method, access, changesOwnLogin, streamBody }: Route,
  status: number,
) {
  if (operationId === 'Authenticate') return true;
  if (status === 401 || status === 403) return true;
  if (method === 'GET' || streamBody) return false;
  return access !== 'read' || changesOwnLogin === true;
}

export function auditEntry(route: Route, call: AuditedCall): Omit<AuditEntry, 'at'> {
  const { identity, login, params, body, ip, status } = call;
  const caller = login ?? identity;
  // Unknown callers may send anything, at any rate. Their entries keep little, so that many are equal and count as one.
  if (!caller && status === 401 && route.operationId !== 'Authenticate') {
    return { actor: 'unknown', action: route.operationId, ip, status };
  }
  const resource = Object.fromEntries(
    Object.entries((params ?? {}) as Record<string, unknown>).map(([name, value]) => [
      name,
      cut(String(value)),
    ]),
  );
  const given = fieldsOf(body);
  const changed = changesOf(call.changed);
  const organisationId = caller?.organisationId ?? ofPath(route, resource.id);
  return {
    actor: caller?.actor ?? claimed(body),
    action: route.operationId,
    ip,
    status,
    ...(organisationId === undefined ? {} : { organisationId }),
    ...(Object.keys(resource).length > 0 ? { resource } : {}),
    ...(Object.keys(given).length > 0 ? { given } : {}),
    ...(Object.keys(changed).length > 0 ? { changed } : {}),
  };
}

function ofPath({ path }: Route, id: string | undefined): number | undefined {
  const number = path.startsWith('/operator/v1/organisations/:id') ? Number(id) : Number.NaN;
  return Number.isSafeInteger(number) ? number : undefined;
}

/** For a failed login the given name; a user name is not a secret. */
function claimed(body: unknown): string {
  const { username } = (body ?? {}) as { username?: unknown };
  return typeof username === 'string' ? `user:${cut(username)}` : 'unknown';
}

/** The fields that differ. Both sides have their secrets masked already. */
function changesOf(changed: Changed | undefined) {
  const { before = {}, after = {} } = changed ?? {};
  const [old, now] = [leavesOf(before), leavesOf(after)];
  const paths = [...new Set([...old.keys(), ...now.keys()])].filter(
    (path) => old.get(path) !== now.get(path),
  );
  return Object.fromEntries(
    paths
      .slice(0, MOST_FIELDS)
      .map((path) => [cut(path), [old.get(path) ?? null, now.get(path) ?? null] as const]),
  );
}

/** Values by their paths; a list is one value, as JSON. */
function leavesOf(value: object, path = '', leaves = new Map<string, Shown>()): Map<string, Shown> {
  for (const [name, member] of Object.entries(value) as [string, unknown][]) {
    const at = path === '' ? name : `${path}.${name}`;
    if (typeof member === 'object' && member !== null && !Array.isArray(member)) leavesOf(member, at, leaves);
    else if (typeof member === 'number' || typeof member === 'boolean' || member === null)
      leaves.set(at, member);
    else if (member !== undefined)
      leaves.set(at, cut(typeof member === 'string' ? member : JSON.stringify(member)));
  }
  return leaves;
}

function fieldsOf(body: unknown): Record<string, Shown> {
  const fields: Record<string, Shown> = {};
  const collect = (value: unknown, path: string) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
    for (const [name, member] of Object.entries(value)) {
      if (Object.keys(fields).length >= MOST_FIELDS) return;
      const at = cut(path === '' ? name : `${path}.${name}`);
      const shown = SHOWN.has(name) && !path.includes('credentials');
      if (shown && (typeof member === 'number' || typeof member === 'boolean')) fields[at] = member;
      else if (shown && typeof member === 'string') fields[at] = cut(member);
      else if (typeof member === 'object' && member !== null && !Array.isArray(member)) collect(member, at);
      else fields[at] = member === null ? null : '***';
    }
  };
  collect(body, '');
  return fields;
}

function cut(text: string): string {
  return text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE)}…` : text;
}
