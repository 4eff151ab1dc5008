// A table as CSV: every row carries the guarantee, and no cell is one that a spreadsheet would compute.
import { handOver } from "./file";

export type Cell = string | number | null;

const FORMULA = /^\s*[=+\-@\t\r\n]/;

function cell(value: Cell): string {
  if (value === null) return "";
  if (typeof value === "number") return String(value);
  const safe = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function csv(columns: readonly string[], rows: readonly (readonly Cell[])[], guarantee: string): string {
  const lines = [[...columns, "guarantee"], ...rows.map((row) => [...row, guarantee])];
  return lines.map((line) => line.map(cell).join(",")).join("\r\n") + "\r\n";
}

export const saveCsv = (name: string, columns: readonly string[], rows: readonly (readonly Cell[])[], guarantee: string): void =>
  handOver(`${name}.csv`, csv(columns, rows, guarantee), "text/csv;charset=utf-8");
