import type { TSchema } from 'typebox';
import type { FieldFault } from '../errors.ts';

/** The part of a schema that lists its members. */
interface Shape {
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly additionalProperties?: unknown;
  readonly patternProperties?: unknown;
  readonly items?: Shape;
  readonly anyOf?: readonly Shape[];
  readonly allOf?: readonly Shape[];
}

/** The most unknown members that are checked: a person does not misspell more, and a body may hold thousands. */
const MOST_LOOKED_AT = 50;
/** No name of the API is as long. */
const LONGEST_NAME = 60;
/** A shorter beginning of a name may be another word: `user` and `username`. */
const SHORTEST_BEGINNING = 5;

/**
 * Members that the schema does not know are ignored, because clients send back what they have read. But a name that
 * is nearly one of the schema's is a mistake: ignored, it would start a stream without its filters, or a token
 * without its end.
 * @returns a fault for each such member, which names the right one
 */
export function misspeltMembers(schema: TSchema, value: unknown): FieldFault[] {
  const faults: FieldFault[] = [];
  let left = MOST_LOOKED_AT;

  const look = (shapes: readonly Shape[], given: unknown, path: string): void => {
    if (typeof given !== 'object' || given === null || shapes.length === 0) return;
    if (Array.isArray(given)) {
      const items = shapes.flatMap(({ items }) => alternatives(items));
      if (items.length > 0)
        for (const [index, item] of given.entries()) look(items, item, `${path}/${index}`);
      return;
    }
    // A free object has no known members.
    if (shapes.some((shape) => !shape.properties || shape.additionalProperties || shape.patternProperties))
      return;
    const known = [...new Set(shapes.flatMap(({ properties }) => Object.keys(properties ?? {})))];
    for (const [name, member] of Object.entries(given)) {
      if (left <= 0) return;
      if (known.includes(name)) {
        const inner = shapes.flatMap(({ properties }) => alternatives(properties?.[name]));
        look(inner, member, `${path}/${name}`);
        continue;
      }
      left--;
      const meant = nearest(name, known);
      // Both names were given, so the right one is among them.
      if (meant === undefined || Object.hasOwn(given, meant)) continue;
      const pointer = `${path}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
      faults.push({ token: 'NotAllowed', path: pointer, message: `is unknown; did you mean ${meant}?` });
    }
  };

  look(alternatives(schema as Shape), value, '');
  return faults;
}

/** The objects and arrays that a schema may stand for. */
function alternatives(shape: Shape | undefined): Shape[] {
  if (!shape) return [];
  const inner = [...(shape.anyOf ?? []), ...(shape.allOf ?? [])].flatMap(alternatives);
  return shape.properties || shape.items ? [shape, ...inner] : inner;
}

/** The nearest name; undefined if none is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  if (name.length > LONGEST_NAME) return undefined;
  const plain = plainName(name);
  return known.find((each) => isNear(plain, plainName(each)));
}

/** Without differences of spelling: `startFrom`, `start-from`, `page[]`. */
function plainName(name: string): string {
  return name.toLowerCase().replace(/[_\-.[\]\s]/g, '');
}

function isNear(name: string, known: string): boolean {
  if (name === known) return true;
  const [shorter, longer] = name.length < known.length ? [name, known] : [known, name];
  if (longer.length < 4) return false;
  if (shorter.length >= SHORTEST_BEGINNING && longer.startsWith(shorter)) return true;
  return slips(name, known) <= (longer.length <= 6 ? 1 : 2);
}

/** Characters that are missing, too many, wrong, or changed places. */
function slips(a: string, b: string): number {
  const width = b.length + 1;
  const table = new Uint8Array((a.length + 1) * width);
  const at = (row: number, column: number) => table[row * width + column] as number;
  for (let row = 0; row <= a.length; row++)
    for (let column = 0; column <= b.length; column++) {
      if (row === 0 || column === 0) {
        table[row * width + column] = row + column;
        continue;
      }
      const wrong = a[row - 1] === b[column - 1] ? 0 : 1;
      let fewest = Math.min(
        at(row - 1, column) + 1,
        at(row, column - 1) + 1,
        at(row - 1, column - 1) + wrong,
      );
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) fewest = Math.min(fewest, at(row - 2, column - 2) + 1);
      table[row * width + column] = fewest;
    }
  return at(a.length, b.length);
}
