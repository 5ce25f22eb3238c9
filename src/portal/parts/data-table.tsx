import { Table } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import type { ReactNode } from 'react';

interface Column<R> {
  readonly name: string;
  /** Replaces the name at the head, with a checkbox for example. */
  readonly head?: ReactNode;
  readonly cell: (row: R) => ReactNode;
  /** Figures, which are read from the right. */
  readonly right?: boolean;
  /** Words and ids of simstream, such as a state: a line never ends within one. All other text may be of any length. */
  readonly words?: boolean;
}

/** Windows in which a table lies off the screen: of some columns, and of more than MANY. */
const NARROW = '(max-width: 620px)';
const NARROW_FOR_MANY = '(max-width: 1000px)';
const MANY = 7;

/**
 * A table that becomes a stack of entries where the window is too narrow for its columns: then each value has its column's name beside it, and
 * nothing lies off the screen. Its roles are written out, because browsers forget them when rows are drawn as blocks.
 */
export function DataTable<R>({
  label,
  columns,
  rows,
  keyOf,
}: {
  readonly label: string;
  readonly columns: readonly Column<R>[];
  readonly rows: readonly R[];
  readonly keyOf: (row: R) => string | number;
}) {
  const stacked = useMediaQuery(columns.length > MANY ? NARROW_FOR_MANY : NARROW, false, {
    getInitialValueInEffect: false,
  });
  return (
    <Table className={stacked ? 'stacking stacked' : 'stacking'} role="table" aria-label={label}>
      <Table.Thead role="rowgroup">
        <Table.Tr role="row">
          {columns.map(({ name, head, right }) => (
            <Table.Th key={name} role="columnheader" ta={right ? 'right' : 'left'}>
              {head ?? name}
            </Table.Th>
          ))}
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody role="rowgroup">
        {rows.map((row) => (
          <Table.Tr key={keyOf(row)} role="row">
            {columns.map(({ name, cell, right, words }) => (
              <Table.Td
                key={name}
                role="cell"
                data-name={name}
                className={right ? 'right' : words ? undefined : 'wrap'}
              >
                {/* One box, so that what is in it stays together beside the name. */}
                <div>{cell(row)}</div>
              </Table.Td>
            ))}
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
