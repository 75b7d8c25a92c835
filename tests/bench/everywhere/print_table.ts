/**
 * A Markdown table.
 */

/**
 * Prints one.
 *
 * @param title above it
 * @param rows what it is of
 * @param columns by their heads
 */
export function printTable<T>(
  title: string,
  rows: readonly T[],
  columns: Readonly<Record<string, (row: T) => string>>,
): void {
  const line = (cells: readonly string[]) => console.log(`| ${cells.join(" | ")} |`);
  console.log(`\n${title}\n`);
  line(Object.keys(columns));
  line(Object.keys(columns).map((_, i) => i === 0 ? "---" : "---:"));
  for (const row of rows) line(Object.values(columns).map((cell) => cell(row)));
}
