import { noteChange } from '../lib/call-cost.ts';
import type { Clock, Random } from '../lib/clock.ts';
import { ORGANISATION, type OrganisationDocument, organisationKey } from '../registry/organisation.ts';
import type { Registry } from '../registry/registry.ts';
import { changeDocument, randomId, wasStored } from './documents.ts';

/** The organisations of the installation. The operator registers them. */
export interface Organisations {
  create(organisation: NewOrganisation): Promise<OrganisationCreated>;
  /** undefined: it does not exist, or it is being deleted. */
  get(id: number): Promise<OrganisationDocument | undefined>;
  /** The same, also while it is being deleted: a failed deletion is repeated. */
  getAny(id: number): Promise<OrganisationDocument | undefined>;
  /** Marks it as being deleted, or takes the mark away. */
  markDeleting(id: number, deleting: boolean): Promise<void>;
  /** Whether its users need a second factor. false if the organisation does not exist. */
  requireMfa(id: number, required: boolean): Promise<boolean>;
  /** In no particular order. */
  list(): AsyncIterable<OrganisationDocument>;
}

interface NewOrganisation {
  /** From 1 to 2^53 - 1; chosen if absent. */
  readonly id?: number;
  readonly name: string;
  readonly parentId?: number;
  /** Marked as one that is being deleted, so that nobody uses it yet. */
  readonly deleting?: true;
}

type OrganisationCreated =
  | { readonly type: 'created'; readonly organisation: OrganisationDocument }
  | { readonly type: 'taken' }
  | { readonly type: 'no-parent' };

export function createOrganisations(registry: Registry, clock: Clock, random: Random): Organisations {
  const getAny = async (id: number) => (await ORGANISATION.get(registry, organisationKey(id)))?.document;
  const get = async (id: number) => {
    const organisation = await getAny(id);
    return organisation?.deleting ? undefined : organisation;
  };

  return {
    get,
    getAny,
    markDeleting: async (id, deleting) => {
      await changeDocument(ORGANISATION, registry, organisationKey(id), (organisation) => {
        const { deleting: _, ...rest } = organisation;
        return deleting ? { ...rest, deleting: true as const } : rest;
      });
    },
    create: async ({ id, name, parentId, deleting }) => {
      const parent = parentId === undefined ? undefined : await get(parentId);
      if (parentId !== undefined && !parent) return { type: 'no-parent' };
      for (;;) {
        const own = id ?? randomId(random);
        const organisation: OrganisationDocument = {
          id: own,
          name,
          parentId: parent?.id ?? null,
          rootId: parent?.rootId ?? own,
          created: new Date(clock.now()).toISOString(),
          ...(deleting ? { deleting } : {}),
        };
        const outcome = await ORGANISATION.put(registry, organisationKey(own), organisation, 0);
        if (wasStored(outcome)) {
          if (!parent || (await get(parent.id))) return { type: 'created', organisation };
          // The parent was deleted meanwhile.
          wasStored(await registry.delete(organisationKey(own)));
          return { type: 'no-parent' };
        }
        if (id !== undefined) return { type: 'taken' };
      }
    },
    requireMfa: async (id, required) => {
      let before = false;
      const changed = await changeDocument(ORGANISATION, registry, organisationKey(id), (organisation) => {
        const { mfaRequired, ...rest } = organisation;
        before = mfaRequired === true;
        return required ? { ...rest, mfaRequired: true as const } : rest;
      });
      noteChange({ mfa_required: before }, { mfa_required: required });
      return changed !== undefined;
    },
    list: async function* () {
      for await (const { document } of ORGANISATION.list(registry)) yield document;
    },
  };
}
