/**
 * Tables of model cards.
 */

/**
 * Writes a table.
 *
 * @param headings of the columns
 * @param rows a cell for each column
 */
export function markdownTable(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(headings), line(headings.map(() => "---")), ...rows.map(line)].join("\n");
}
